#include "formats/nemo/dist_checkpoint.h"

#include <algorithm>
#include <utility>

#include "formats/dcp/dcp.h"
#include "formats/nemo/common_state.h"
#include "formats/nemo/names.h"
#include "formats/zarr/zarr.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/value.h"

namespace nemo {
namespace {

constexpr int64_t kMaxMetadataBytes = int64_t{1} << 20;

using Stored = Result<std::shared_ptr<TensorSource>>;

struct Backend {
  std::string_view name;
  Stored (*open)(std::shared_ptr<FileTree> tree, std::string folder);
};

constexpr Backend kBackends[] = {
    {"zarr", OpenZarr},
    {"torch_dist",
     [](std::shared_ptr<FileTree> tree, std::string folder) {
       return OpenDcp(std::move(tree), std::move(folder), IsModelKey);
     }},
};

/// metadata.json says which backend wrote the rest.
Result<const Backend*> BackendOf(const FileTree& tree, const std::string& file_name) {
  if (!tree.Contains(file_name)) {
    return Corruption(Format(
        "{} is missing: it is written last, so the save (or the copy) is incomplete", file_name));
  }
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(file_name));
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAll(*file, kMaxMetadataBytes));
  const Result<Value> metadata = ParseJson(text);
  if (!metadata) return metadata.error().At(file_name);
  const Result<std::string> name = metadata->GetString("sharded_backend");
  if (!name) return name.error().At(file_name);
  const auto backend = std::find_if(std::begin(kBackends), std::end(kBackends),
                                    [&](const Backend& row) { return row.name == *name; });
  if (backend == std::end(kBackends)) {
    std::string known;
    for (const Backend& row : kBackends)
      known += Format("{}{}", known.empty() ? "" : ", ", row.name);
    return Unsupported(
        Format("{}: a distributed checkpoint with the unknown backend '{}'; this "
               "build reads: {}",
               file_name, name->substr(0, 100), known));
  }
  const Value* version = metadata->Find("sharded_backend_version");
  if (version != nullptr && *version != Value(1)) {
    return Unsupported(Format("{}: sharded_backend_version {} of '{}'; version 1 is read",
                              file_name, ToJson(*version), *name));
  }
  return &*backend;
}

}  // namespace

Result<DistCheckpoint> OpenDistCheckpoint(const std::shared_ptr<FileTree>& tree,
                                          const std::string& folder, ModelConfig config,
                                          std::string_view config_name) {
  NEMO_ASSIGN_OR_RETURN(const Backend* backend, BackendOf(*tree, folder + "metadata.json"));
  NEMO_RETURN_IF_ERROR(CheckCommonState(*tree, folder));
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<const TensorSource> stored, backend->open(tree, folder));
  NEMO_ASSIGN_OR_RETURN(const std::string prefix, DetectPrefix(stored->specs()));
  NEMO_ASSIGN_OR_RETURN(config.padded_vocab_size, StoredVocabRows(stored->specs(), prefix));
  NEMO_RETURN_IF_ERROR(CheckConfig(config).At(config_name));
  NEMO_ASSIGN_OR_RETURN(MappedNames names, MapNames(config, stored->specs(), prefix));
  NEMO_ASSIGN_OR_RETURN(auto source, CanonicalSource::Create(std::move(names.canonical),
                                                             std::move(names.map), {stored}));
  return DistCheckpoint{std::string(backend->name), std::move(config), std::move(source)};
}

}  // namespace nemo
