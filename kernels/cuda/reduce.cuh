// Sums over a block in a fixed order: the same bits in every run, not those of the contract's
// order.
#pragma once

#include "kernels/cuda/mma.cuh"

namespace nemo::cuda {

/// Of the lanes of a warp, by halves; all lanes get it.
__device__ inline float SumOfWarp(float value) {
#pragma unroll
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, mask);
  }
  return value;
}

/// Of the block's kThreads threads; all get it. `shared` has room for kThreads / kWarp floats.
template <int kThreads>
__device__ float SumOfBlock(float value, float* shared) {
  value = SumOfWarp(value);
  __syncthreads();  // all are done with the last sum
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += shared[warp];
  return sum;
}

}  // namespace nemo::cuda
