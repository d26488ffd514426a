#include "tools/nemo-eval/data_folder.h"

#include <memory>
#include <utility>

#include "formats/codec/gzip.h"
#include "formats/codec/zstd_file.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 30;

bool LeadsOut(std::string_view name) {
  return name.empty() || name.front() == '/' || name == ".." || name.starts_with("../") ||
         name.ends_with("/..") || name.find("/../") != name.npos;
}

Result<std::string> Read(const std::string& path) {
  if (KindOf(path) == PathKind::kFile) return ReadAllFrom(path, kMaxFileBytes);
  if (const std::string packed = path + ".zst"; KindOf(packed) == PathKind::kFile) {
    NEMO_ASSIGN_OR_RETURN(const std::string bytes, ReadAllFrom(packed, kMaxFileBytes));
    return zstd::DecompressFile(bytes, kMaxFileBytes);
  }
  if (const std::string packed = path + ".gz"; KindOf(packed) == PathKind::kFile) {
    NEMO_ASSIGN_OR_RETURN(auto bytes, OpenFile(packed));
    NEMO_ASSIGN_OR_RETURN(const auto file, OpenGzip(std::move(bytes)));
    return ReadAll(*file, kMaxFileBytes);
  }
  return NotFound(Format("{}: no such file, nor with .zst or .gz", path));
}

}  // namespace

eval::FileReader DataFolder(std::string folder) {
  return [folder = std::move(folder)](std::string_view name) -> Result<std::string> {
    if (LeadsOut(name)) {
      return InvalidArgument(Format("'{}' leads out of the data folder", name));
    }
    return Read(JoinPath(folder, name));
  };
}

}  // namespace nemo
