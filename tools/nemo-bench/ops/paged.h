// A batch of sequences with their KV pages, as attention and rope_append see it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {

struct PagedShape {
  int64_t num_sequences = 1;
  int64_t num_new = 1;  ///< tokens of each sequence in this step, the last ones
  int64_t length = 1;   ///< of each sequence, the new ones included
  int64_t num_q_heads = 0, num_kv_heads = 0, head_dim = 0, rotary_dim = 0;
  double rotary_base = 0;

  int64_t num_tokens() const { return num_sequences * num_new; }
  int64_t pages_of_sequence() const { return (length + kPageTokens - 1) / kPageTokens; }
  int64_t qkv_columns() const { return (num_q_heads + 2 * num_kv_heads) * head_dim; }
  int64_t page_elements() const { return num_kv_heads * 2 * kPageTokens * head_dim; }
  int64_t pool_elements() const { return num_sequences * pages_of_sequence() * page_elements(); }
};
/// With the head counts of `sizes`.
PagedShape MakePagedShape(const OpSizes& sizes, int64_t num_sequences, int64_t num_new,
                          int64_t length);

/// The host's side: what is uploaded, and what the reference backend computes with.
struct PagedInput {
  PagedShape shape;
  std::vector<BF16> qkv;                        ///< [num_tokens, qkv_columns]
  std::vector<BF16> pages;                      ///< the pool, pages of a sequence not side by side
  std::vector<int32_t> positions, sequence_of;  ///< [num_tokens]
  std::vector<int32_t> page_table;              ///< [num_sequences, pages_of_sequence]
};
PagedInput MakePagedInput(const PagedShape& shape, int threads);

/// The backend's side, in copies.
struct PagedArrays {
  Copies<BF16> qkv, pages;
  Copies<int32_t> positions, sequence_of, page_table;

  static Result<PagedArrays> Upload(Backend& backend, int64_t num_copies, const PagedInput& input);
};

}  // namespace nemo
