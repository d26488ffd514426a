#include "formats/megatron/rank_files.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "formats/torch/state_dict.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"

namespace nemo::megatron {
namespace {

using torch::PickleNode;

/// Each costs a look through the pickle, and one state dict may stand under many names. No stage
/// has more than its layers.
constexpr size_t kMaxVirtualStages = 256;

const PickleNode* FindDict(const PickleNode& dict, const std::string& key) {
  const PickleNode* found = dict.Find(key);
  return found != nullptr && found->Is(PickleNode::Kind::kDict) ? found : nullptr;
}

/// The state dicts in a file, one per virtual stage.
std::vector<const PickleNode*> StateDicts(const PickleNode& root) {
  std::vector<const PickleNode*> chunks;
  while (chunks.size() <= kMaxVirtualStages) {
    const PickleNode* chunk = FindDict(root, Format("model{}", chunks.size()));
    if (chunk == nullptr) break;
    chunks.push_back(chunk);
  }
  if (!chunks.empty()) return chunks;
  for (const char* level : {"model", "state_dict"}) {
    if (const PickleNode* inner = FindDict(root, level)) return {inner};
  }
  return {&root};
}

Status OpenRankFile(const FileTree& tree, RankChunk rank, std::vector<RankChunk>& chunks) {
  NEMO_ASSIGN_OR_RETURN(auto file, tree.Open(rank.file));
  NEMO_ASSIGN_OR_RETURN(const auto torch_file, torch::OpenTorchFile(std::move(file)));
  const std::vector<const PickleNode*> state_dicts = StateDicts(torch_file->pickle.root());
  if (state_dicts.size() > kMaxVirtualStages) {
    return Corruption(Format("{}: more than {} virtual stages", rank.file, kMaxVirtualStages));
  }
  for (const PickleNode* state_dict : state_dicts) {
    NEMO_ASSIGN_OR_RETURN(rank.source, torch::OpenStateDict(torch_file, *state_dict, rank.file));
    chunks.push_back(rank);
    ++rank.vpp_rank;
  }
  return OkStatus();
}

/// Every rank has as many virtual stages as the first.
Status CheckVirtualStages(const std::vector<RankChunk>& chunks, int64_t world_size) {
  const int64_t vpp_size = chunks.back().vpp_rank + 1;
  for (const RankChunk& chunk : chunks) {
    if (chunk.vpp_rank < vpp_size) continue;
    return Corruption(
        Format("{}: more virtual stages than the other ranks have ({})", chunk.file, vpp_size));
  }
  if (static_cast<int64_t>(chunks.size()) == world_size * vpp_size) return OkStatus();
  return Corruption(
      Format("{} virtual stages in the files of {} ranks; they do not belong together",
             chunks.size(), world_size));
}

}  // namespace

Result<std::vector<RankChunk>> OpenRankFiles(const FileTree& tree, const RankFileName& name_of,
                                             int64_t tp_size, int64_t pp_size,
                                             const std::string& why) {
  std::vector<RankChunk> chunks;
  for (int64_t pp_rank = 0; pp_rank < pp_size; ++pp_rank) {
    for (int64_t tp_rank = 0; tp_rank < tp_size; ++tp_rank) {
      RankChunk rank{tp_rank, pp_rank, 0, name_of(tp_rank, pp_rank), nullptr};
      if (!tree.Contains(rank.file)) {
        return Corruption(
            Format("missing rank: {} is not there, and {}; the save or the copy is "
                   "incomplete",
                   rank.file, why));
      }
      NEMO_RETURN_IF_ERROR(OpenRankFile(tree, std::move(rank), chunks));
    }
  }
  NEMO_RETURN_IF_ERROR(CheckVirtualStages(chunks, tp_size * pp_size));
  std::sort(chunks.begin(), chunks.end(), [](const RankChunk& a, const RankChunk& b) {
    return std::tie(a.pp_rank, a.vpp_rank, a.tp_rank) < std::tie(b.pp_rank, b.vpp_rank, b.tp_rank);
  });
  return chunks;
}

}  // namespace nemo::megatron
