// What the threads of a block find together, with the same bits in every run.
#pragma once

#include <cstdint>

#include "kernels/cuda/mma.cuh"

namespace nemo::cuda {

/// The sum of the lanes of a warp, by halves; all lanes get it. Not the contract's order.
__device__ inline float SumOfWarp(float value) {
#pragma unroll
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, mask);
  }
  return value;
}

/// The sum of the block's kThreads threads; all get it. Not the contract's order. `shared` has room
/// for kThreads / kWarp floats.
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

/// The best of what the block's kThreads threads have, by BetterOf(T, T); all get it. `shared` has
/// room for kThreads.
template <int kThreads, typename T>
__device__ T BestOfBlock(const T& mine, T* shared) {
  shared[threadIdx.x] = mine;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      shared[threadIdx.x] = BetterOf(shared[threadIdx.x], shared[threadIdx.x + half]);
    }
  }
  __syncthreads();
  return shared[0];
}

/// The sum of term(0) ... term(count - 1) in order, the contract's; valid in thread 0. The terms
/// are computed by all kThreads threads of the block, for which `shared` has room.
template <int kThreads, typename T, typename Term>
__device__ T SumInOrder(int64_t count, T* shared, const Term& term) {
  T sum = 0;
  for (int64_t begin = 0; begin < count; begin += kThreads) {
    const int64_t i = begin + threadIdx.x;
    if (i < count) shared[threadIdx.x] = term(i);
    __syncthreads();
    if (threadIdx.x == 0) {
      const int64_t rest = count - begin;
      const int size = rest < kThreads ? static_cast<int>(rest) : kThreads;
      for (int t = 0; t < size; ++t) sum += shared[t];
    }
    __syncthreads();
  }
  return sum;
}

}  // namespace nemo::cuda
