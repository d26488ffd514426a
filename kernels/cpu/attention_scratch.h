// The working memory of one attention task (attention_kernel.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "libcore/tensor/dtype.h"

namespace nemo::cpu {

/// A row is one query head of one token.
struct AttentionScratch {
  int64_t num_rows, padded_dim, num_pairs;
  void* queries;           ///< row blocks [num_pairs, rows of the block] of up to kMaxPairBytes
  BF16* keys;              ///< [num_pairs, 64, 2]: a page as a weight panel
  float* scores;           ///< [num_rows, 64], later the weights
  int64_t* counts;         ///< [num_rows]: tokens of the page that the row sees
  float* keep;             ///< [num_rows]: factor of what was gathered before the page
  float *max, *sum, *acc;  ///< [num_rows], [num_rows], [num_rows, padded_dim]: the split under way
  float *total_max, *total_sum, *total_acc;  ///< the same of the splits done
};

/// Bytes of the scratch for that many rows.
int64_t AttentionScratchBytes(int64_t num_rows, int64_t head_dim);
/// The arrays inside `block`, which has AttentionScratchBytes and is aligned to 64 bytes.
AttentionScratch CarveAttentionScratch(std::byte* block, int64_t num_rows, int64_t head_dim);

}  // namespace nemo::cpu
