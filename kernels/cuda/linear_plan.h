// How a product y[m, n] = x[m, k] W[n, k]^T is cut for the tensor-core kernel: which block has
// which outputs and inputs, and which lane has which operands. Plain arithmetic that the host
// tests.
#pragma once

#include <cstdint>

#include "libcore/base/host_device.h"

namespace nemo::cuda {

inline constexpr int kLinearWarps = 4;
inline constexpr int kWarpColumns = 16;  ///< outputs of a warp: the rows of one mma
inline constexpr int kBlockColumns = kLinearWarps * kWarpColumns;
inline constexpr int kChunkInputs = 256;  ///< inputs that lie in shared memory at once
inline constexpr int kStepInputs = 32;    ///< inputs of two mma: 16 bytes of each row and lane
inline constexpr int kMaxTileTokens = 64;
inline constexpr int kMaxSplits = 16;
/// A split has no less than this: its partial sums cost as many bytes as 4 inputs of its weights.
inline constexpr int64_t kMinSplitChunks = 4;
/// Between rows of a tile of x: neighbouring rows begin 16 banks apart, so that the eight lanes of
/// two rows read all banks once.
inline constexpr int kTileStride = kChunkInputs + 32;

/// What a block has.
struct LinearBlock {
  int64_t column_begin, token_begin, chunk_begin, chunk_end;
  int split;
};

struct LinearPlan {
  int tile_tokens;  ///< 8, 16, 32 or 64
  int64_t column_tiles, token_tiles;
  int num_splits;  ///< depends on n and k only: an output has one order of sums, whatever m
  int64_t num_chunks, split_chunks;

  NEMO_HOST_DEVICE int64_t blocks() const { return column_tiles * token_tiles * num_splits; }
  /// Blocks that read the same weights are neighbours.
  NEMO_HOST_DEVICE LinearBlock At(int64_t block) const {
    const int64_t token_tile = block % token_tiles;
    const int64_t column_tile = block / token_tiles % column_tiles;
    const int64_t split = block / token_tiles / column_tiles;
    const int64_t end = (split + 1) * split_chunks;
    return {column_tile * kBlockColumns, token_tile * tile_tokens, split * split_chunks,
            end < num_chunks ? end : num_chunks, static_cast<int>(split)};
  }
  /// Floats of the partial sums, [num_splits, m, n]; none where there is one split.
  NEMO_HOST_DEVICE int64_t partial_floats(int64_t m, int64_t n) const {
    return num_splits == 1 ? 0 : num_splits * m * n;
  }
};

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Two blocks for each multiprocessor, where the inputs can be cut so often.
inline LinearPlan PlanLinear(int64_t m, int64_t n, int64_t k, int num_multiprocessors) {
  LinearPlan plan;
  plan.tile_tokens = m <= 8 ? 8 : m <= 16 ? 16 : m <= 32 ? 32 : kMaxTileTokens;
  plan.column_tiles = CeilDiv(n, kBlockColumns);
  plan.token_tiles = CeilDiv(m, plan.tile_tokens);
  plan.num_chunks = CeilDiv(k, kChunkInputs);
  int64_t splits = 2 * num_multiprocessors / plan.column_tiles;
  const int64_t most = plan.num_chunks / kMinSplitChunks;
  if (splits > most) splits = most;
  if (splits > kMaxSplits) splits = kMaxSplits;
  if (splits < 1) splits = 1;
  plan.split_chunks = CeilDiv(plan.num_chunks, splits);
  plan.num_splits = static_cast<int>(CeilDiv(plan.num_chunks, plan.split_chunks));
  return plan;
}

/// The operands of a lane in a step of kStepInputs. An mma adds 16 products in one go, so which of
/// the step's inputs are which of its columns does not matter as long as both operands agree: each
/// quarter of a group of lanes takes 8 neighbouring ones, which is one load.
struct LaneOperands {
  int row;    ///< of the warp's columns (and row + 8), of the tokens of a tile of 8
  int input;  ///< the first of 8 in the step
};
NEMO_HOST_DEVICE inline LaneOperands OperandsOf(int lane) { return {lane / 4, lane % 4 * 8}; }

/// Where result i of a lane belongs: mma's rows are output columns, its columns are tokens.
struct LaneResult {
  int column, token;
};
NEMO_HOST_DEVICE inline LaneResult ResultOf(int lane, int i) {
  return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2};
}

}  // namespace nemo::cuda
