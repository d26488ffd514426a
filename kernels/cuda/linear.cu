// y = x W^T in the canonical order. A warp owns 32 output columns, one leaf and up to eight tokens;
// a thread owns one column and has one accumulator per token. The warps of a block are the leaves,
// added at the end in the tree.
#include "kernels/cuda/epilogue.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"

namespace nemo::cuda {
namespace {

constexpr int kTileGroups = 8;  // groups of weights that a thread has on their way at once
constexpr int kTileElements = kTileGroups * kGroupElements;

/// Shared memory of one leaf, in floats: a tile of x, then the sums of its panel.
template <int kTokens>
constexpr int kLeafFloats = kTokens*(kTileElements + kPanelColumns);

__device__ float LowHalf(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ float HighHalf(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

/// Adds the first `num_pairs` products of a group to `sum`.
__device__ float AddGroup(const uint4& weight, const float* x, int64_t num_pairs, float sum) {
  const uint32_t pairs[4] = {weight.x, weight.y, weight.z, weight.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < num_pairs) {
      sum = __fmaf_rn(HighHalf(pairs[i]), x[2 * i + 1], sum);
      sum = __fmaf_rn(LowHalf(pairs[i]), x[2 * i], sum);
    }
  }
  return sum;
}

/// Elements [begin, begin + kTileElements) of a leaf of tokens [token, token + kTokens) as floats;
/// zero past the leaf's end and past the last token.
template <int kTokens>
__device__ void LoadTile(const LinearParams& p, int64_t token, int leaf, int64_t begin, int lane,
                         float* tile) {
  const int64_t leaf_size = p.shape.leaf_size();
  for (int i = lane; i < kTokens * kTileElements; i += kPanelColumns) {
    const int64_t row = token + i / kTileElements;
    const int64_t element = begin + i % kTileElements;
    const bool is_there = row < p.m && element < leaf_size;
    tile[i] = is_there ? FloatFromBF16(p.x[row * p.shape.k + leaf * leaf_size + element]) : 0.0f;
  }
}

/// The sums of one leaf for this thread's column and kTokens tokens.
template <int kTokens>
__device__ void SumLeaf(const LinearParams& p, int64_t panel, int64_t token, int leaf, int lane,
                        float* tile, float (&sums)[kTokens]) {
  const int64_t num_groups = p.shape.leaf_groups();
  const int64_t num_pairs = (p.shape.leaf_size() + 1) / 2;
  const uint4* weight =
      reinterpret_cast<const uint4*>(p.weight + p.shape.Offset(panel, leaf, lane));
  for (int64_t begin = 0; begin < num_groups; begin += kTileGroups) {
    uint4 groups[kTileGroups];
#pragma unroll
    for (int g = 0; g < kTileGroups; ++g) {
      groups[g] = begin + g < num_groups ? weight[(begin + g) * kPanelColumns] : uint4{0, 0, 0, 0};
    }
    __syncwarp();  // all lanes are done with the last tile
    LoadTile<kTokens>(p, token, leaf, begin * kGroupElements, lane, tile);
    __syncwarp();
#pragma unroll
    for (int g = 0; g < kTileGroups; ++g) {
#pragma unroll
      for (int t = 0; t < kTokens; ++t) {
        sums[t] = AddGroup(groups[g], tile + t * kTileElements + g * kGroupElements,
                           num_pairs - (begin + g) * (kGroupElements / 2), sums[t]);
      }
    }
  }
}

/// Neighbours are added, then neighbours of the sums, until one is left. Element i is values[i *
/// stride].
__device__ float AddTree(float* values, int count, int stride) {
  for (; count > 1; count /= 2) {
    for (int i = 0; i < count / 2; ++i) {
      values[i * stride] = values[2 * i * stride] + values[(2 * i + 1) * stride];
    }
  }
  return values[0];
}

/// Block: num_leaves warps. Grid: panels times tiles of kTokens tokens, tiles fastest, so that the
/// blocks that read the same weights run near each other.
template <int kTokens>
__global__ void LinearKernel(LinearParams p) {
  NEMO_DYNAMIC_SHARED(float, shared);
  const int num_leaves = p.shape.num_leaves;
  const int leaf = threadIdx.x / kPanelColumns;
  const int lane = threadIdx.x % kPanelColumns;
  const int64_t num_tiles = (p.m + kTokens - 1) / kTokens;
  const int64_t panel = blockIdx.x / num_tiles;
  const int64_t token = blockIdx.x % num_tiles * kTokens;

  float sums[kTokens] = {};
  SumLeaf<kTokens>(p, panel, token, leaf, lane, shared + leaf * kTokens * kTileElements, sums);
  // [leaf][token][lane]
  float* partial = shared + num_leaves * kTokens * kTileElements;
  constexpr int kStride = kTokens * kPanelColumns;
#pragma unroll
  for (int t = 0; t < kTokens; ++t) partial[leaf * kStride + t * kPanelColumns + lane] = sums[t];
  __syncthreads();

  const int64_t column = panel * kPanelColumns + lane;
  if (column >= p.shape.n) return;
  for (int t = leaf; t < kTokens && token + t < p.m; t += num_leaves) {
    const float sum = AddTree(partial + t * kPanelColumns + lane, num_leaves, kStride);
    StoreSum(p.epilogue, sum, p.y, (token + t) * p.shape.n + column);
  }
}

template <int kTokens>
cudaError_t LaunchTiled(const LinearParams& p, cudaStream_t stream) {
  const int64_t num_tiles = (p.m + kTokens - 1) / kTokens;
  const int64_t shared_bytes = p.shape.num_leaves * kLeafFloats<kTokens> * int64_t{sizeof(float)};
  return Launch(LinearKernel<kTokens>, p, p.shape.panels() * num_tiles,
                p.shape.num_leaves * kPanelColumns, shared_bytes, stream);
}

}  // namespace

cudaError_t LaunchLinear(const LinearParams& params, cudaStream_t stream) {
  return params.m == 1 ? LaunchTiled<1>(params, stream) : LaunchTiled<8>(params, stream);
}

}  // namespace nemo::cuda
