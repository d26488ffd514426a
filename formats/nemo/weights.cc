#include "formats/nemo/weights.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/megatron/rank_files.h"
#include "formats/megatron/rank_weights.h"
#include "formats/nemo/common_state.h"
#include "formats/nemo/names.h"
#include "formats/zarr/zarr.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/value.h"

namespace nemo {
namespace {

constexpr std::string_view kWeightsFolder = "model_weights/";
constexpr std::string_view kMetadata = "model_weights/metadata.json";
constexpr std::string_view kRankFile = "model_weights.ckpt";
constexpr int64_t kMaxMetadataBytes = int64_t{1} << 20;

bool HasFolder(const FileTree& tree, std::string_view prefix) {
  const auto& files = tree.files();
  const auto it = std::lower_bound(files.begin(), files.end(), prefix);
  return it != files.end() && it->starts_with(prefix);
}

/// Which backend of Megatron Core's distributed checkpoints wrote model_weights/.
Result<std::string> ReadBackend(const FileTree& tree) {
  if (!tree.Contains(kMetadata)) {
    return Corruption(
        Format("{} is missing: it is written last, so the save (or the copy) is "
               "incomplete",
               kMetadata));
  }
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(kMetadata));
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAll(*file, kMaxMetadataBytes));
  const Result<Value> metadata = ParseJson(text);
  if (!metadata) return metadata.error().At(kMetadata);
  Result<std::string> backend = metadata->GetString("sharded_backend");
  if (!backend) return backend.error().At(kMetadata);
  const Value* version = metadata->Find("sharded_backend_version");
  if (version != nullptr && *version != Value(1)) {
    return Unsupported(Format("{}: sharded_backend_version {} of '{}'; version 1 is read",
                              kMetadata, ToJson(*version), *backend));
  }
  return backend;
}

Result<NemoWeights> OpenZarrWeights(std::shared_ptr<FileTree> tree, const NemoConfig& nemo) {
  ModelConfig config = nemo.model;
  NEMO_RETURN_IF_ERROR(CheckCommonState(*tree, kWeightsFolder));
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<const TensorSource> stored,
                        OpenZarr(std::move(tree), std::string(kWeightsFolder)));
  NEMO_ASSIGN_OR_RETURN(const std::string prefix, DetectPrefix(stored->specs()));
  NEMO_ASSIGN_OR_RETURN(config.padded_vocab_size, StoredVocabRows(stored->specs(), prefix));
  NEMO_RETURN_IF_ERROR(CheckConfig(config).At("model_config.yaml"));
  NEMO_ASSIGN_OR_RETURN(MappedNames names, MapNames(config, stored->specs(), prefix));
  NEMO_ASSIGN_OR_RETURN(auto source, CanonicalSource::Create(std::move(names.canonical),
                                                             std::move(names.map), {stored}));
  return NemoWeights{"zarr", std::move(config), nemo.layout, std::move(source)};
}

/// Opens the files of all ranks and no other: one too many means that the config is of another
/// save.
Result<NemoWeights> OpenRanks(const FileTree& tree, const NemoConfig& nemo,
                              const ParallelLayout& layout, const megatron::RankFileName& name_of) {
  const std::string why =
      Format("model_config.yaml says tensor-parallel size {} and pipeline-parallel size {}",
             nemo.layout.tp_size, nemo.layout.pp_size);
  NEMO_ASSIGN_OR_RETURN(
      std::vector<megatron::RankChunk> chunks,
      megatron::OpenRankFiles(tree, name_of, layout.tp_size, layout.pp_size, why));
  const auto num_files =
      std::count_if(tree.files().begin(), tree.files().end(),
                    [](const std::string& file) { return BaseName(file) == kRankFile; });
  if (num_files != layout.world_size()) {
    return Corruption(Format("{} files called {}, and {}; they do not belong together", num_files,
                             kRankFile, why));
  }
  NEMO_ASSIGN_OR_RETURN(megatron::RankWeights weights,
                        megatron::JoinRanks(std::move(chunks), nemo.model));
  return NemoWeights{"torch", std::move(weights.config), std::move(weights.layout),
                     std::move(weights.source)};
}

Result<NemoWeights> OpenSingleFile(std::shared_ptr<FileTree> tree, const NemoConfig& nemo) {
  return OpenRanks(*tree, nemo, ParallelLayout{},
                   [](int64_t, int64_t) { return std::string(kRankFile); });
}

Result<NemoWeights> OpenTensorRanks(std::shared_ptr<FileTree> tree, const NemoConfig& nemo) {
  if (nemo.layout.pp_size != 1) {
    return Corruption(
        Format("model_config.yaml says pipeline-parallel size {}, and there is one folder per "
               "tensor-parallel rank (mp_rank_*); they do not belong together",
               nemo.layout.pp_size));
  }
  return OpenRanks(*tree, nemo, nemo.layout, [](int64_t tp_rank, int64_t) {
    return Format("mp_rank_{:02d}/{}", tp_rank, kRankFile);
  });
}

Result<NemoWeights> OpenPipelineRanks(std::shared_ptr<FileTree> tree, const NemoConfig& nemo) {
  return OpenRanks(*tree, nemo, nemo.layout, [](int64_t tp_rank, int64_t pp_rank) {
    return Format("tp_rank_{:02d}_pp_rank_{:03d}/{}", tp_rank, pp_rank, kRankFile);
  });
}

/// A form in which NeMo saves weights: a row is all it takes to read one more.
struct Form {
  std::string_view marker;   // file or folder at the top that shows it
  std::string_view backend;  // of a distributed checkpoint; empty for others
  std::string_view description;
  /// nullptr: known, and not read by this build.
  Result<NemoWeights> (*open)(std::shared_ptr<FileTree>, const NemoConfig&);
};

// In NeMo's order: a single file is taken before the folder.
constexpr Form kForms[] = {
    {kRankFile, "", "a single torch file", OpenSingleFile},
    {"mp_rank_", "", "one torch file per tensor-parallel rank", OpenTensorRanks},
    {"tp_rank_", "", "one torch file per tensor- and pipeline-parallel rank", OpenPipelineRanks},
    {"model_weights/", "zarr", "a distributed checkpoint with the zarr backend", OpenZarrWeights},
    {"model_weights/", "torch_dist", "a distributed checkpoint with the torch_dist backend",
     nullptr},
};

Status NotRead(std::string_view what) {
  std::string read;
  for (const Form& form : kForms) {
    if (form.open != nullptr) read += Format("{}{}", read.empty() ? "" : ", ", form.description);
  }
  return Unsupported(Format("the weights are {}; this build reads: {}", what, read));
}

}  // namespace

Result<NemoWeights> OpenNemoWeights(std::shared_ptr<FileTree> tree, const NemoConfig& config) {
  std::string backend;
  for (const Form& form : kForms) {
    if (!HasFolder(*tree, form.marker)) continue;
    if (!form.backend.empty()) {
      if (backend.empty()) {
        NEMO_ASSIGN_OR_RETURN(backend, ReadBackend(*tree));
      }
      if (backend != form.backend) continue;
    }
    if (form.open == nullptr) return NotRead(form.description);
    return form.open(std::move(tree), config);
  }
  if (!backend.empty()) {
    return NotRead(Format("a distributed checkpoint with the unknown backend '{}'", backend));
  }
  return Corruption(
      "no weights: there is neither model_weights/ nor model_weights.ckpt nor a folder per "
      "rank (mp_rank_*, tp_rank_*); the save or the copy is incomplete");
}

}  // namespace nemo
