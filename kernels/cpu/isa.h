// The inner loops of the CPU backend, once per instruction set. They are written once, over a
// vector type V (linear_kernel.h, norm_kernel.h, ...), and compiled in isa_*.cc. The files with the
// operations' names (linear.cc, ...) cut the work into tasks and hand it to the threads.
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
inline constexpr int64_t kLineBytes = 64;    ///< of a cache line
inline constexpr int64_t kMaxBlockRows = 6;  ///< no instruction set works on more rows at once
inline constexpr int kMaxLevels = 4;         ///< leaf sums alive at once in a tree of kNumLeaves
static_assert(kPanelColumns == kPageTokens);

/// Cuts `size` in `count` parts of nearly equal size; part i is [at(i), at(i + 1)).
struct EvenCut {
  int64_t size, count;
  int64_t at(int64_t i) const { return size * i / count; }
  /// In as few parts as hold `max_part` each.
  static EvenCut InPartsOf(int64_t max_part, int64_t size) {
    return {size, (size + max_part - 1) / max_part};
  }
};

inline constexpr int64_t kTilePairs = 16;  ///< pairs that an AMX tile adds at once

/// The pairs of one leaf in slices that begin at multiples of kTilePairs.
struct SliceCut {
  int64_t leaf_pairs;
  EvenCut tiles;  ///< the last one may be partly there
  int64_t count() const { return tiles.count; }
  int64_t at(int64_t i) const {
    const int64_t begin = tiles.at(i) * kTilePairs;
    return begin < leaf_pairs ? begin : leaf_pairs;
  }
};

/// Each slice meets all rows before the next one is looked at. A few row blocks are done so soon
/// that a slice and the one being fetched must both be in the first-level cache; more of them leave
/// time to read a slice from the second-level cache.
inline SliceCut SlicesOfLeaf(int64_t leaf_pairs, int64_t num_row_blocks) {
  constexpr int64_t kFewBlocks = 3, kFewBlocksTiles = 4, kManyBlocksTiles = 24;
  const int64_t num_tiles = (leaf_pairs + kTilePairs - 1) / kTilePairs;
  if (num_row_blocks == 1) return {leaf_pairs, {num_tiles, 1}};
  const int64_t slice_tiles = num_row_blocks <= kFewBlocks ? kFewBlocksTiles : kManyBlocksTiles;
  return {leaf_pairs, EvenCut::InPartsOf(slice_tiles, num_tiles)};
}

/// A pair of activations for kernels that multiply floats; for the others a pair is 32 bits, the
/// even element in the low half.
struct WidePair {
  float odd, even;
};
inline constexpr int64_t kMaxPairBytes = sizeof(WidePair);

/// Panel columns of one product of up to `m` rows with one panel of a weight.
struct PanelTask {
  const BF16* panel;  ///< [num_leaves, leaf_pairs, 64, 2]
  /// Slice after slice of each leaf; a slice consists of row blocks [pairs of the slice, rows of
  /// the block], each element a pair, of IsaKernels::pair_bytes. Rows are cut by EvenCut in parts
  /// of block_rows.
  const void* x;
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
  bool (*available)();  ///< on this machine; AMX asks the kernel for permission
  int64_t panel_rows;   ///< rows that pass a panel together
  int64_t block_rows;   ///< rows of a block of packed activations
  int64_t pair_bytes;   ///< of packed activations: uint32_t or WidePair
  /// `count` <= 64 rows of `size` elements, `stride` apart, to [(size + 1) / 2, 64, 2].
  void (*pack_panel)(const BF16* rows, int64_t stride, int64_t size, int64_t count, BF16* panel);
  void (*panel)(const PanelTask& task);
  void (*residual_norm_row)(const ResidualNormArgs& args, int64_t token);
  void (*rope_append_token)(const RopeAppendArgs& args, int64_t token);
  void (*attention)(const AttentionTask& task);
  ChunkStats (*head_stats)(const StatsTask& task);
};

extern const IsaKernels kScalarKernels;
#if defined(__x86_64__)
extern const IsaKernels kAvx2Kernels;     ///< AVX2 and FMA
extern const IsaKernels kAvx512Kernels;   ///< AVX512F, BW, VL and BF16
extern const IsaKernels kAvx512fKernels;  ///< the same without BF16
extern const IsaKernels kAmxKernels;      ///< and AMX-BF16: not the bits of the others
#endif

/// Cuts a row `x` of k elements into pairs, leaf by leaf: out[pair * stride] holds elements 2i (low
/// half) and 2i + 1 of the leaf; the missing element of an odd leaf is zero.
void PackPairs(const BF16* x, int64_t k, int num_leaves, int64_t stride, uint32_t* out);
void PackPairs(const BF16* x, int64_t k, int num_leaves, int64_t stride, WidePair* out);

}  // namespace nemo::cpu
