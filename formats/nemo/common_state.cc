#include "formats/nemo/common_state.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "formats/nemo/pickle_globals.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kMaxBytes = int64_t{64} << 20;  // beyond: not looked at. A .nemo's has 1 KB
constexpr std::string_view kLocalHeader = "PK\x03\x04";
constexpr size_t kLocalHeaderBytes = 30;

/// Python modules, and single functions, whose only use in a pickle is to run something.
constexpr std::string_view kUnsafe[] = {
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "pty",
    "socket",
    "shutil",
    "ctypes",
    "runpy",
    "importlib",
    "code",
    "pdb",
    "webbrowser",
    "commands",
    "platform",
    "timeit",
    "asyncio",
    "bdb",
    "cProfile",
    "builtins eval",
    "builtins exec",
    "builtins compile",
    "builtins __import__",
    "builtins getattr",
    "builtins open",
    "__builtin__ eval",
    "__builtin__ exec",
    "__builtin__ execfile",
    "__builtin__ compile",
    "__builtin__ __import__",
    "__builtin__ getattr",
    "__builtin__ open",
};

bool IsUnsafe(std::string_view global) {
  return std::any_of(std::begin(kUnsafe), std::end(kUnsafe), [&](std::string_view unsafe) {
    if (!global.starts_with(unsafe)) return false;
    const std::string_view rest = global.substr(unsafe.size());
    return rest.empty() || rest.front() == ' ' || rest.front() == '.';
  });
}

size_t Little16(std::string_view bytes, size_t at) {
  return static_cast<unsigned char>(bytes[at]) |
         static_cast<size_t>(static_cast<unsigned char>(bytes[at + 1])) << 8;
}

Status CheckPickle(std::string_view pickle, const std::string& name) {
  for (const std::string& global : PickleGlobals(pickle)) {
    if (!IsUnsafe(global)) continue;
    return Corruption(
        Format("{}: an unsafe pickle: it would run '{}' when Python loads it. Nothing here "
               "does, but this is not what a save writes: do not trust this checkpoint",
               name, global));
  }
  return OkStatus();
}

}  // namespace

Status CheckCommonState(const FileTree& tree, std::string_view folder) {
  const std::string name = Format("{}common.pt", folder);
  if (!tree.Contains(name)) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(name));
  if (file->size_bytes() > kMaxBytes) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAll(*file, kMaxBytes));
  const std::string_view bytes = text;
  if (!bytes.starts_with(kLocalHeader)) return CheckPickle(bytes, name);  // from before torch 1.6
  // Sizes in local headers are zero, but a pickle ends by itself.
  for (size_t at = 0; (at = bytes.find(kLocalHeader, at)) != std::string_view::npos; ++at) {
    if (bytes.size() - at < kLocalHeaderBytes) break;
    const size_t name_end = at + kLocalHeaderBytes + Little16(bytes, at + 26);
    const size_t data = name_end + Little16(bytes, at + 28);
    if (data > bytes.size()) continue;
    if (!bytes.substr(at + kLocalHeaderBytes, name_end - at - kLocalHeaderBytes)
             .ends_with("data.pkl"))
      continue;
    NEMO_RETURN_IF_ERROR(CheckPickle(bytes.substr(data), name));
  }
  return OkStatus();
}

}  // namespace nemo
