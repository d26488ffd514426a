#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/probe.h"

namespace nemo::cuda {
namespace {

__global__ void __launch_bounds__(kProbeThreads) FillKernel(FillParams p) {
  const int64_t first = int64_t{blockIdx.x} * kProbeThreads + threadIdx.x;
  for (int64_t i = first; i < p.num_words; i += int64_t{kProbeBlocks} * kProbeThreads) {
    uint32_t bits = static_cast<uint32_t>(i) * 2654435761u;
    bits ^= bits >> 15;
    bits *= 2246822519u;
    bits ^= bits >> 13;
    p.data[i] = (bits & 0x807f807fu) | 0x3f003f00u;
  }
}

__global__ void __launch_bounds__(kProbeThreads) ReadKernel(ReadProbeParams p) {
  const int64_t first = int64_t{blockIdx.x} * kProbeThreads + threadIdx.x;
  uint32_t all = 0;
#pragma unroll 8
  for (int64_t i = first; i < p.num_vectors; i += int64_t{kProbeBlocks} * kProbeThreads) {
    const uint4 v = p.data[i];
    all ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  p.out[first] = all;
}

__global__ void __launch_bounds__(kProbeThreads) ComputeKernel(ComputeProbeParams p) {
  const uint32_t* operands = p.operands + (int64_t{blockIdx.x} * kProbeThreads + threadIdx.x) * 8;
  const uint32_t a[4] = {operands[0], operands[1], operands[2], operands[3]};
  const uint32_t b[2] = {operands[4], operands[5]};
  float c[kProbeProducts][4] = {};
  for (int64_t round = 0; round < p.rounds; ++round) {
#pragma unroll
    for (int i = 0; i < kProbeProducts; ++i) Mma(c[i], a, b);
  }
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kProbeProducts; ++i) sum += c[i][0] + c[i][1] + c[i][2] + c[i][3];
  p.out[int64_t{blockIdx.x} * kProbeThreads + threadIdx.x] = sum;
}

}  // namespace

cudaError_t LaunchFill(const FillParams& params, cudaStream_t stream) {
  return Launch(FillKernel, params, kProbeBlocks, kProbeThreads, 0, stream);
}

cudaError_t LaunchReadProbe(const ReadProbeParams& params, cudaStream_t stream) {
  return Launch(ReadKernel, params, kProbeBlocks, kProbeThreads, 0, stream);
}

cudaError_t LaunchComputeProbe(const ComputeProbeParams& params, cudaStream_t stream) {
  return Launch(ComputeKernel, params, kProbeBlocks, kProbeThreads, 0, stream);
}

}  // namespace nemo::cuda
