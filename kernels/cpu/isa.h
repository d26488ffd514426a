// The inner loops of the CPU backend, once per instruction set. They are written once, over a
// vector type V (linear_kernel.h, norm_kernel.h, ...), and compiled in isa_scalar.cc, isa_avx2.cc
// and isa_avx512.cc. The files with the operations' names (linear.cc, ...) cut the work into tasks
// and hand it to the threads.
#pragma once

#include <cstdint>

#include "libcore/runtime/backend.h"

/// Before a loop whose few turns are known at compile time: it is unrolled whole, so that arrays
/// indexed by its variable live in registers. At -O2 compilers leave such loops alone.
#ifdef __clang__
#define NEMO_UNROLL _Pragma("unroll")
#else
#define NEMO_UNROLL _Pragma("GCC unroll 16")
#endif

namespace nemo::cpu {

inline constexpr int64_t kPanelColumns =
    64;  ///< columns of one weight panel; also the tokens of one KV page
inline constexpr int64_t kMaxBlockRows = 6;  ///< no instruction set works on more rows at once
inline constexpr int kMaxLevels = 4;         ///< leaf sums alive at once in a tree of kNumLeaves
static_assert(kPanelColumns == kPageTokens);

/// Panel columns of one product of up to `m` rows with one panel of a weight.
struct PanelTask {
  const BF16* panel;  ///< [num_leaves, leaf_pairs, 64, 2]
  const uint32_t*
      x;  ///< row blocks [num_leaves * leaf_pairs, rows of the block], each a pair (even, odd)
  int64_t m;
  int64_t leaf_pairs;
  int num_leaves;
  int64_t num_columns;  ///< columns that exist, at most 64
  void* y;              ///< element [0, first column of the panel]
  int64_t y_stride;     ///< elements
  Epilogue epilogue;
  float* sums;  ///< scratch [kMaxLevels, m, 64]
};

/// Some consecutive tokens of one sequence against one key-value head.
struct AttentionTask {
  const AttentionArgs* args;
  int64_t token_begin, num_tokens, kv_head;
  std::byte* scratch;  ///< AttentionScratchBytes(rows, head_dim)
};

/// One chunk of one row of logits (HeadStatsArgs).
struct StatsTask {
  const float* logits;
  int64_t count;  ///< columns that take part
  int64_t first_id;
};

struct IsaKernels {
  const char* name;
  bool (*available)();
  int64_t block_rows;  ///< rows of a block of packed activations
  /// 64 rows of `size` elements, `stride` apart, to [(size + 1) / 2, 64, 2].
  void (*pack_panel)(const BF16* rows, int64_t stride, int64_t size, BF16* panel);
  void (*panel)(const PanelTask& task);
  void (*residual_norm_row)(const ResidualNormArgs& args, int64_t token);
  void (*rope_append_token)(const RopeAppendArgs& args, int64_t token);
  void (*attention)(const AttentionTask& task);
  ChunkStats (*head_stats)(const StatsTask& task);
};

extern const IsaKernels kScalarKernels;
#if defined(__x86_64__)
extern const IsaKernels kAvx2Kernels;    ///< AVX2 and FMA
extern const IsaKernels kAvx512Kernels;  ///< AVX512F, BW, VL and BF16
#endif

/// Cuts a row `x` of k elements into pairs, leaf by leaf: out[pair * stride] holds elements 2i (low
/// half) and 2i + 1 of the leaf; the missing element of an odd leaf is zero.
void PackPairs(const BF16* x, int64_t k, int num_leaves, int64_t stride, uint32_t* out);

}  // namespace nemo::cpu
