// The files of single ranks: which there must be, and the state dicts in them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo::megatron {

/// What one rank holds of one of its virtual stages.
struct RankChunk {
  int64_t tp_rank = 0, pp_rank = 0;
  int64_t vpp_rank = 0;  ///< 0 without virtual stages
  std::string file;      ///< relative to the checkpoint
  std::shared_ptr<const TensorSource> source;
};

/// The file of a rank, relative to the checkpoint.
using RankFileName = std::function<std::string(int64_t tp_rank, int64_t pp_rank)>;

/// Opens the file of every rank. State dicts may lie below `model`, `model0` to `modelN` (virtual
/// stages) or `state_dict`. Chunks are sorted by pipeline rank, virtual stage, tensor rank; ranks
/// have equal numbers of virtual stages. kCorruption: a rank's file is missing (`why` says who asks
/// for it), not a torch file, or without a state dict.
Result<std::vector<RankChunk>> OpenRankFiles(const FileTree& tree, const RankFileName& name_of,
                                             int64_t tp_size, int64_t pp_size,
                                             const std::string& why);

}  // namespace nemo::megatron
