// LogicalTensor: a tensor as the model knows it, whatever file or rank holds it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/model/config.h"
#include "libcore/model/shard_rule.h"
#include "libcore/tensor/box.h"

namespace nemo {

/// Megatron Core's names of the two vocabulary tensors, the same in every architecture.
inline constexpr std::string_view kEmbeddingName = "embedding.word_embeddings.weight";
inline constexpr std::string_view kOutputLayerName = "output_layer.weight";

/// Where in the pipeline a tensor lives.
enum class StageRole { kFirst, kLayer, kLast };

struct LogicalTensor {
  std::string
      name;     ///< Megatron Core's, global and unstacked: decoder.layers.17.mlp.linear_fc1.weight
  Shape shape;  ///< full, unsharded
  ShardRule rule = ShardRule::kReplicate;
  StageRole role = StageRole::kLayer;
  int64_t layer_index = -1;  ///< for kLayer
};

}  // namespace nemo
