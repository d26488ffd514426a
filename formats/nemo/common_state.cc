#include "formats/nemo/common_state.h"

#include <string>

#include "formats/torch/pickle.h"
#include "formats/torch/zip.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kMaxBytes = int64_t{64} << 20;  // beyond: not looked at. A .nemo's has 1 KB
constexpr std::string_view kPickleName = "data.pkl";

Status CheckPickles(std::string bytes, const std::string& name) {
  const std::string global = torch::FindUnsafeGlobal(std::move(bytes));
  if (global.empty()) return OkStatus();
  return Corruption(
      Format("{}: an unsafe pickle: it would run '{}' when Python loads it. Nothing here "
             "does, but this is not what a save writes: do not trust this checkpoint",
             name, global));
}

}  // namespace

Status CheckCommonState(const FileTree& tree, std::string_view folder) {
  const std::string name = Format("{}common.pt", folder);
  if (!tree.Contains(name)) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(name));
  if (file->size_bytes() > kMaxBytes) return OkStatus();
  if (!torch::LooksLikeZip(*file)) {  // from before torch 1.6
    NEMO_ASSIGN_OR_RETURN(std::string bytes, ReadAll(*file, kMaxBytes));
    return CheckPickles(std::move(bytes), name);
  }
  const auto zip = torch::OpenZip(file);
  if (!zip) return OkStatus();
  for (const std::string& entry : (*zip)->files()) {
    if (!entry.ends_with(kPickleName)) continue;
    NEMO_ASSIGN_OR_RETURN(const auto pickle, (*zip)->Open(entry));
    Result<std::string> bytes = ReadAll(*pickle, kMaxBytes);
    if (bytes) NEMO_RETURN_IF_ERROR(CheckPickles(std::move(bytes).value(), name));
  }
  return OkStatus();
}

}  // namespace nemo
