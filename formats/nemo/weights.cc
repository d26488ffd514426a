#include "formats/nemo/weights.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/megatron/rank_files.h"
#include "formats/megatron/rank_weights.h"
#include "formats/nemo/dist_checkpoint.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr std::string_view kWeightsFolder = "model_weights/";
constexpr std::string_view kRankFile = "model_weights.ckpt";

bool HasFolder(const FileTree& tree, std::string_view prefix) {
  const auto& files = tree.files();
  const auto it = std::lower_bound(files.begin(), files.end(), prefix);
  return it != files.end() && it->starts_with(prefix);
}

Result<NemoWeights> OpenDistributed(std::shared_ptr<FileTree> tree, const NemoConfig& nemo) {
  NEMO_ASSIGN_OR_RETURN(
      DistCheckpoint checkpoint,
      OpenDistCheckpoint(tree, std::string(kWeightsFolder), nemo.model, "model_config.yaml"));
  return NemoWeights{std::move(checkpoint.backend), std::move(checkpoint.config), nemo.layout,
                     std::move(checkpoint.source)};
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
  std::string_view marker;  // file or folder at the top that shows it
  Result<NemoWeights> (*open)(std::shared_ptr<FileTree>, const NemoConfig&);
};

// In NeMo's order: a single file is taken before the folder.
constexpr Form kForms[] = {
    {kRankFile, OpenSingleFile},
    {"mp_rank_", OpenTensorRanks},
    {"tp_rank_", OpenPipelineRanks},
    {kWeightsFolder, OpenDistributed},
};

}  // namespace

Result<NemoWeights> OpenNemoWeights(std::shared_ptr<FileTree> tree, const NemoConfig& config) {
  for (const Form& form : kForms) {
    if (HasFolder(*tree, form.marker)) return form.open(std::move(tree), config);
  }
  return Corruption(
      "no weights: there is neither model_weights/ nor model_weights.ckpt nor a folder per "
      "rank (mp_rank_*, tp_rank_*); the save or the copy is incomplete");
}

}  // namespace nemo
