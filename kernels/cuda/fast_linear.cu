// y = x W^T on the tensor cores for a few tokens, where reading the weights is all the work.
// Weights are the 16 rows of an mma and go from global memory straight to registers, 16 bytes a
// lane; tokens are its 8 columns and come from a tile in shared memory. A split of the inputs
// leaves fp32 partial sums, which a second kernel adds in order.
#include "kernels/cuda/epilogue.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/mma.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = kLinearWarps * kWarp;
constexpr int kSteps = kChunkInputs / kStepInputs;
constexpr int kVectorElements = 8;  // of 16 bytes
constexpr int kChunkVectors = kChunkInputs / kVectorElements;

/// Starts the copy of inputs [chunk * kChunkInputs, + kChunkInputs) of kTokens tokens to `tile`,
/// zeros where there are none. Rows that are not aligned are copied at once.
template <int kTokens>
__device__ void LoadTile(const FastLinearParams& p, int64_t token_begin, int64_t chunk,
                         BF16* tile) {
  for (int i = threadIdx.x; i < kTokens * kChunkVectors; i += kThreads) {
    const int t = i / kChunkVectors, vector = i % kChunkVectors;
    const int64_t token = token_begin + t;
    const int64_t input = chunk * kChunkInputs + vector * kVectorElements;
    const BF16* from = p.x + token * p.k + input;
    BF16* to = tile + t * kTileStride + vector * kVectorElements;
    if (p.x_is_aligned) {
      const bool is_there = token < p.m && input < p.k;
      CopyAsync(to, is_there ? from : p.x, is_there);
    } else {
#pragma unroll
      for (int e = 0; e < kVectorElements; ++e) {
        to[e] = token < p.m && input + e < p.k ? from[e] : BF16{0};
      }
    }
  }
  CommitCopies();
}

/// The 16 bytes of a step's inputs in one row of the weight; zeros past its end. Rows are padded
/// with zeros to whole vectors.
__device__ uint4 LoadWeight(const FastLinearParams& p, int64_t row, int64_t input) {
  if (row >= p.n || input >= p.row_stride) return uint4{0, 0, 0, 0};
  return *reinterpret_cast<const uint4*>(p.weight + row * p.row_stride + input);
}

/// A warp's weights of a chunk: rows g and g + 8 of its 16.
struct Weights {
  uint4 low[kSteps], high[kSteps];
};

__device__ void LoadWeights(const FastLinearParams& p, int64_t column_begin, int64_t chunk,
                            LaneOperands lane, Weights& weights) {
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const int64_t input = chunk * kChunkInputs + s * kStepInputs + lane.input;
    weights.low[s] = LoadWeight(p, column_begin + lane.row, input);
    weights.high[s] = LoadWeight(p, column_begin + lane.row + 8, input);
  }
}

template <int kTileCount>
__device__ void AddChunk(const Weights& weights, const BF16* tile, LaneOperands lane,
                         float (&sums)[kTileCount][4]) {
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint4 low = weights.low[s], high = weights.high[s];
    const uint32_t first[4] = {low.x, high.x, low.y, high.y};
    const uint32_t second[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
    for (int t = 0; t < kTileCount; ++t) {
      const uint4 x = *reinterpret_cast<const uint4*>(tile + (t * 8 + lane.row) * kTileStride +
                                                      s * kStepInputs + lane.input);
      const uint32_t x_first[2] = {x.x, x.y}, x_second[2] = {x.z, x.w};
      Mma(sums[t], first, x_first);
      Mma(sums[t], second, x_second);
    }
  }
}

__device__ void Finish(const FastLinearParams& p, const LinearBlock& block, int64_t column,
                       int64_t token, float sum) {
  if (column >= p.n || token >= p.m) return;
  if (p.plan.num_splits == 1) {
    StoreSum(p.epilogue, sum, p.y, token * p.n + column);
  } else {
    p.partials[(block.split * p.m + token) * p.n + column] = sum;
  }
}

template <int kTokens>
__global__ void __launch_bounds__(kThreads) FastLinearKernel(FastLinearParams p) {
  NEMO_DYNAMIC_SHARED(BF16, tiles);  // [2][kTokens][kTileStride]
  constexpr int kTileCount = kTokens / 8;
  const LinearBlock block = p.plan.At(blockIdx.x);
  const int lane = threadIdx.x % kWarp;
  const LaneOperands operands = OperandsOf(lane);
  const int64_t column_begin = block.column_begin + threadIdx.x / kWarp * kWarpColumns;

  float sums[kTileCount][4] = {};
  LoadTile<kTokens>(p, block.token_begin, block.chunk_begin, tiles);
  for (int64_t chunk = block.chunk_begin; chunk < block.chunk_end; ++chunk) {
    const int64_t index = chunk - block.chunk_begin;
    Weights weights;
    LoadWeights(p, column_begin, chunk, operands, weights);
    // The tile after the next is this one: all threads were done with it at the last barrier.
    if (chunk + 1 < block.chunk_end) {
      LoadTile<kTokens>(p, block.token_begin, chunk + 1,
                        tiles + (index + 1) % 2 * kTokens * kTileStride);
    } else {
      CommitCopies();  // of nothing, so that one group is always the newest
    }
    WaitCopies<1>();
    __syncthreads();
    AddChunk(weights, tiles + index % 2 * kTokens * kTileStride, operands, sums);
    __syncthreads();
  }
  WaitCopies<0>();
#pragma unroll
  for (int t = 0; t < kTileCount; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const LaneResult result = ResultOf(lane, i);
      Finish(p, block, column_begin + result.column, block.token_begin + t * 8 + result.token,
             sums[t][i]);
    }
  }
}

constexpr int kReduceThreads = 256;

/// Adds the splits of one output in order.
__global__ void ReduceKernel(FastLinearParams p) {
  const int64_t size = p.m * p.n;
  const int64_t index = int64_t{blockIdx.x} * kReduceThreads + threadIdx.x;
  if (index >= size) return;
  float sum = p.partials[index];
  for (int split = 1; split < p.plan.num_splits; ++split) sum += p.partials[split * size + index];
  StoreSum(p.epilogue, sum, p.y, index);
}

template <int kTokens>
cudaError_t LaunchTiled(const FastLinearParams& p, cudaStream_t stream) {
  constexpr int64_t kSharedBytes = 2 * kTokens * kTileStride * int64_t{sizeof(BF16)};
  return Launch(FastLinearKernel<kTokens>, p, p.plan.blocks(), kThreads, kSharedBytes, stream);
}

cudaError_t LaunchProducts(const FastLinearParams& p, cudaStream_t stream) {
  switch (p.plan.tile_tokens) {
    case 8:
      return LaunchTiled<8>(p, stream);
    case 16:
      return LaunchTiled<16>(p, stream);
    case 32:
      return LaunchTiled<32>(p, stream);
    default:
      return LaunchTiled<kMaxTileTokens>(p, stream);
  }
}

/// y = relu(y)^2 for bf16 pre-activations that a library left there.
__global__ void SquaredReluKernel(SquaredReluParams p) {
  const int64_t begin = int64_t{blockIdx.x} * kReduceThreads * kVectorElements;
  for (int i = 0; i < kVectorElements; ++i) {
    const int64_t index = begin + i * kReduceThreads + threadIdx.x;
    if (index < p.size) p.y[index] = SquaredRelu(FloatFromBF16(p.y[index]));
  }
}

}  // namespace

cudaError_t LaunchFastLinear(const FastLinearParams& params, cudaStream_t stream) {
  if (const cudaError_t error = LaunchProducts(params, stream); error != cudaSuccess) return error;
  if (params.plan.num_splits == 1) return cudaSuccess;
  const int64_t blocks = (params.m * params.n + kReduceThreads - 1) / kReduceThreads;
  return Launch(ReduceKernel, params, blocks, kReduceThreads, 0, stream);
}

cudaError_t LaunchSquaredRelu(const SquaredReluParams& params, cudaStream_t stream) {
  constexpr int64_t kBlockElements = kReduceThreads * kVectorElements;
  return Launch(SquaredReluKernel, params, (params.size + kBlockElements - 1) / kBlockElements,
                kReduceThreads, 0, stream);
}

}  // namespace nemo::cuda
