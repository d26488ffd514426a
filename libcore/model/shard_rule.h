// ShardRule: how one tensor is divided among tensor-parallel ranks.
// Facts: megatron/core/tensor_parallel/layers.py, transformer/attention.py.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"

namespace nemo {

enum class ShardRule {
  kReplicate,   ///< every rank holds all of it
  kSplitRows,   ///< axis 0 in equal contiguous parts (column-parallel linear)
  kSplitCols,   ///< axis 1 in equal contiguous parts (row-parallel linear)
  kQueryGroup,  ///< axis 0 of the fused QKV, [num_query_groups, q_per_group + 2, kv_channels] rows
  kVocab,       ///< axis 0 of the padded vocabulary
};

/// "replicate", "split_rows", "split_cols", "query_group", "vocab".
std::string_view ShardRuleName(ShardRule rule);
Result<ShardRule> ParseShardRule(std::string_view name);

/// A block of a rank's shard: the same elements at `canonical` in the global tensor and at `local`
/// in the shard. Extents agree.
struct ShardPart {
  Box canonical;
  Box local;
  bool operator==(const ShardPart&) const = default;
};

/// One rank's part of a tensor. The parts tile `shape` exactly. Most shards have one part; query
/// groups with duplicated key/value heads have several.
struct Shard {
  Shape shape;
  std::vector<ShardPart> parts;
  bool operator==(const Shard&) const = default;
};

}  // namespace nemo
