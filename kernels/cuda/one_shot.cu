#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/one_shot.h"
#include "kernels/cuda/peer.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 256;

/// Calls `take(i)` for this thread's floats of its block.
template <typename Take>
__device__ void ForEachFloat(int64_t count, Take take) {
  for (int64_t chunk = blockIdx.x * kSumChunk; chunk < count; chunk += kSumBlocks * kSumChunk) {
    const int64_t end = chunk + kSumChunk < count ? chunk + kSumChunk : count;
    for (int64_t i = chunk + threadIdx.x; i < end; i += kThreads) take(i);
  }
}

/// Waits until `flag` has come to `round`; false after the deadline. Rounds may wrap around.
__device__ bool WaitFor(const uint32_t* flag, uint32_t round, uint64_t deadline_ns) {
  const uint64_t begin = NowNs();
  while (static_cast<int32_t>(LoadAcquire(flag) - round) < 0) {
    if (NowNs() - begin > deadline_ns) return false;
    Pause();
  }
  return true;
}

__global__ void __launch_bounds__(kThreads) OneShotKernel(OneShotParams p) {
  SumSegment& own = *p.segments[p.rank];
  const uint32_t round = own.rounds[blockIdx.x] + 1;
  float* floats = own.floats[round % 2];
  ForEachFloat(p.count, [&](int64_t i) { floats[i] = p.data[i]; });
  FenceSystem();
  __syncthreads();
  const int peer = static_cast<int>(threadIdx.x);
  if (peer < p.size) StoreRelease(&p.segments[peer]->flags[blockIdx.x][p.rank], round);
  __syncthreads();  // all flags of this block are out before any thread waits
  if (peer < p.size && !WaitFor(&own.flags[blockIdx.x][peer], round, p.deadline_ns)) {
    StoreRelease(p.missing, static_cast<uint32_t>(peer) + 1);
  }
  __syncthreads();
  ForEachFloat(p.count, [&](int64_t i) {
    float parts[kMaxPeers];
#pragma unroll
    for (int r = 0; r < kMaxPeers; ++r) {
      if (r < p.size) parts[r] = p.segments[r]->floats[round % 2][i];
    }
    p.data[i] = SumOfRanks(parts, p.size);
  });
  if (threadIdx.x == 0) own.rounds[blockIdx.x] = round;
}

}  // namespace

cudaError_t LaunchOneShotSum(const OneShotParams& params, cudaStream_t stream) {
  if (params.count > kSumFloats) return cudaErrorInvalidValue;
  return Launch(OneShotKernel, params, kSumBlocks, kThreads, 0, stream);
}

}  // namespace nemo::cuda
