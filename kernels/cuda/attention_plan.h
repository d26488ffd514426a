// How attention is cut for the tensor-core kernels: which query rows a block has, which pages it
// walks, and how splits merge. Plain arithmetic that the host tests.
//
// The query heads of one key-value head are rows of the same product: a token has q_per_group rows.
// A token whose neighbours in the batch belong to other sequences is alone (decoding): a block has
// its rows, at most 16, and one split of its context. Tokens of a run of the same sequence
// (prefill) share the pages that they see: a block has some tokens' rows, 64 at most, and walks all
// splits. Both compute a row by the same steps in the same order.
#pragma once

#include <cstdint>
#include <limits>

#include "libcore/base/host_device.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/math.h"

namespace nemo::cuda {

inline constexpr int kMaxGroupRows = 16;  ///< the rows of one mma
inline constexpr int kTileRows = 64;      ///< of a block of a run: 16 for each of 4 warps
inline constexpr int kSplitPages = static_cast<int>(kSplitTokens / kPageTokens);
/// Steps of more tokens than this let one block walk all splits of a token that is alone: partial
/// results of each split would take too much memory.
inline constexpr int64_t kMaxSplitTokens = 256;

/// True where the tensor-core kernels can be used.
inline bool FastAttentionFits(int64_t num_q_heads, int64_t num_kv_heads, int64_t head_dim) {
  return (head_dim == 128 || head_dim == 192) && num_q_heads / num_kv_heads <= kMaxGroupRows;
}

struct AttentionPlan {
  int q_per_group;
  int tile_tokens;     ///< of a run
  int64_t run_tiles;   ///< tiles of the batch, for each key-value head
  int64_t max_splits;  ///< of the longest context that the page table can hold
  bool splits_are_blocks;

  NEMO_HOST_DEVICE int64_t splits_in_memory() const { return splits_are_blocks ? max_splits : 0; }
};

inline AttentionPlan PlanAttention(int64_t num_tokens, int64_t num_q_heads, int64_t num_kv_heads,
                                   int64_t page_table_stride) {
  AttentionPlan plan;
  plan.q_per_group = static_cast<int>(num_q_heads / num_kv_heads);
  plan.tile_tokens = kTileRows / plan.q_per_group;
  plan.run_tiles = (num_tokens + plan.tile_tokens - 1) / plan.tile_tokens;
  plan.max_splits = (page_table_stride + kSplitPages - 1) / kSplitPages;
  plan.splits_are_blocks = num_tokens <= kMaxSplitTokens;
  return plan;
}

/// Floats of the partial results: [num_tokens, q heads, max_splits] x (maximum, sum, head_dim).
inline int64_t PartialFloats(const AttentionPlan& plan, int64_t num_tokens, int64_t num_q_heads,
                             int64_t head_dim) {
  return num_tokens * num_q_heads * plan.splits_in_memory() * (head_dim + 2);
}

/// Whether token `t` has no neighbour of its own sequence in the batch.
NEMO_HOST_DEVICE inline bool IsAlone(const int32_t* sequence_of, int64_t num_tokens, int64_t t) {
  const bool before = t > 0 && sequence_of[t - 1] == sequence_of[t];
  const bool after = t + 1 < num_tokens && sequence_of[t + 1] == sequence_of[t];
  return !before && !after;
}

/// The first token from `begin` on, and before `end`, that is not of the sequence of `begin`.
NEMO_HOST_DEVICE inline int64_t EndOfRun(const int32_t* sequence_of, int64_t begin, int64_t end) {
  int64_t t = begin + 1;
  while (t < end && sequence_of[t] == sequence_of[begin]) ++t;
  return t;
}

/// Pages of a context whose last position is `position`.
NEMO_HOST_DEVICE inline int64_t PagesUpTo(int64_t position) { return position / kPageTokens + 1; }
NEMO_HOST_DEVICE inline int64_t SplitsUpTo(int64_t position) { return position / kSplitTokens + 1; }

/// Where the keys of a page begin in the pool, in elements; its values follow after kPageTokens
/// rows.
NEMO_HOST_DEVICE inline int64_t KeysOffset(int64_t page, int64_t kv_head, int64_t num_kv_heads,
                                           int64_t head_dim) {
  return (page * num_kv_heads + kv_head) * 2 * kPageTokens * head_dim;
}

/// What old and new results of a row weigh after a maximum has grown from `max` to `new_max`. A row
/// that has seen nothing has maximum -inf and weighs nothing.
NEMO_HOST_DEVICE inline float KeepFactor(float max, float new_max) {
  return max == -std::numeric_limits<float>::infinity() ? 0.0f : ExpF32(max - new_max);
}
NEMO_HOST_DEVICE inline float Larger(float a, float b) { return b > a ? b : a; }

}  // namespace nemo::cuda
