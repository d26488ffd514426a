// One rank's weights, taken straight from the canonical tensors of any readable checkpoint: the
// layout of the files and the layout of the run have nothing to do with each other.
#pragma once

#include <memory>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/tensor/source.h"

namespace nemo {

struct LayerWeights {
  std::unique_ptr<Buffer> qkv_norm_weight, qkv_norm_bias;  ///< [hidden] bf16
  std::unique_ptr<Buffer> fc1_norm_weight, fc1_norm_bias;  ///< [hidden] bf16
  std::unique_ptr<PackedWeight> qkv;   ///< [q heads | k heads | v heads, hidden], 1 leaf
  std::unique_ptr<PackedWeight> proj;  ///< [hidden, q heads], RankShape::proj_leaves
  std::unique_ptr<PackedWeight> fc1;   ///< [ffn, hidden], 1 leaf
  std::unique_ptr<PackedWeight> fc2;   ///< [hidden, ffn], RankShape::fc2_leaves
};

struct RankWeights {
  RankShape shape;
  /// [vocab.num_columns(), hidden] bf16 of the first stage. Else null, and where the first stage is
  /// the last one too and shares its embeddings: `head` has the same rows.
  std::unique_ptr<Buffer> embedding;
  std::vector<LayerWeights> layers;                            ///< parallel to shape.layers
  std::unique_ptr<Buffer> final_norm_weight, final_norm_bias;  ///< last stage
  std::unique_ptr<PackedWeight>
      head;  ///< [vocab.num_columns(), hidden]; last stage, null without columns

  int64_t size_bytes() const;
};

/// Reads and packs what `rank` computes with. Stored fp32 and fp16 become bf16 (RNE). With shared
/// embeddings the head is the embedding, kept once where one rank has both. Packs with up to
/// `threads` threads while four more wait for the disk. Host memory beside the weights themselves:
/// about 4 MiB per thread, three times that where the stored dtype is not bf16; freed before
/// return. What the source can only prove of whole files (TensorSource::ProveReads) is not proved.
/// kInvalidArgument: ShapeOfRank. kCorruption, kNotFound: a tensor is absent, has another shape or
/// a dtype that holds no weights.
Result<RankWeights> LoadWeights(const TensorSource& canonical, const ModelConfig& config,
                                const ParallelLayout& layout, int64_t rank, Backend& backend,
                                int threads, Progress& progress);

}  // namespace nemo
