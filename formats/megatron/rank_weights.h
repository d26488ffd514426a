// The parts that ranks hold -> the whole model under canonical names.
// Facts: megatron/core/tensor_parallel/layers.py (which axis is split),
// transformer/transformer_layer.py (layer numbers of stages and virtual stages);
// docs/formats/nemo.md.
#pragma once

#include <memory>
#include <vector>

#include "formats/megatron/rank_files.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/canonical_source.h"
#include "libcore/model/config.h"

namespace nemo::megatron {

struct RankWeights {
  ModelConfig config;     ///< with padded_vocab_size, checked against the tensors
  ParallelLayout layout;  ///< of the files
  std::shared_ptr<CanonicalSource> source;
};

/// Joins `chunks` (as OpenRankFiles gives them, at least one) to the model that `config` describes
/// (padded_vocab_size not set). Copies that ranks hold of one tensor (norms, a tied output layer)
/// are read and compared. kCorruption: a tensor is missing, copies differ, or shapes or layers
/// contradict the config. kUnsupported: weights that the architecture has no place for.
Result<RankWeights> JoinRanks(std::vector<RankChunk> chunks, ModelConfig config);

}  // namespace nemo::megatron
