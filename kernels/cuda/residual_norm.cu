// Residual and LayerNorm. A block per token; the sums over the row have 16 lanes in the contract,
// so 16 threads walk them and all threads do the rest.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 16;

/// Neighbours are added, then neighbours of the sums, until one is left.
__device__ float AddTree(const float* lanes) {
  float sums[kLanes];
#pragma unroll
  for (int i = 0; i < kLanes; ++i) sums[i] = lanes[i];
#pragma unroll
  for (int count = kLanes; count > 1; count /= 2) {
#pragma unroll
    for (int i = 0; i < count / 2; ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
  }
  return sums[0];
}

/// The tree over 16 lanes of add(lane sum, element), each in order. Called by the whole block; all
/// threads get the sum.
template <typename Add>
__device__ float SumOverLanes(const BF16* x, int64_t size, float* lanes, Add add) {
  __syncthreads();  // all threads are done with `lanes`, and x is written
  if (threadIdx.x < kLanes) {
    float sum = 0.0f;
#pragma unroll 8
    for (int64_t i = threadIdx.x; i < size; i += kLanes) sum = add(sum, FloatFromBF16(x[i]));
    lanes[threadIdx.x] = sum;
  }
  __syncthreads();
  return AddTree(lanes);
}

__device__ void AddUpdate(const ResidualNormArgs& args, BF16* x, const float* update) {
  for (int64_t i = threadIdx.x; i < args.hidden; i += kThreads) {
    const BF16 rounded = BF16FromFloat(update[i]);
    x[i] = args.replace ? rounded : BF16FromFloat(FloatFromBF16(x[i]) + FloatFromBF16(rounded));
  }
}

__device__ float Gain(const ResidualNormArgs& args, int64_t i) {
  const float w = FloatFromBF16(args.weight[i]);
  if (!args.zero_centered_gamma) return w;
  const float gain = 1.0f + w;
  return args.profile == DTypeProfile::kHf ? RoundToBF16(gain) : gain;
}

__device__ void LayerNorm(const ResidualNormArgs& args, const BF16* x, float* lanes, BF16* h) {
  const float size = static_cast<float>(args.hidden);
  const float mean = __fdiv_rn(
      SumOverLanes(x, args.hidden, lanes, [](float sum, float v) { return sum + v; }), size);
  const float variance = __fdiv_rn(SumOverLanes(x, args.hidden, lanes,
                                                [mean](float sum, float v) {
                                                  const float d = v - mean;
                                                  return __fmaf_rn(d, d, sum);
                                                }),
                                   size);
  const float rstd = __fdiv_rn(1.0f, __fsqrt_rn(variance + args.epsilon));
  for (int64_t i = threadIdx.x; i < args.hidden; i += kThreads) {
    const float n = (FloatFromBF16(x[i]) - mean) * rstd;
    h[i] = BF16FromFloat(__fmaf_rn(n, Gain(args, i), FloatFromBF16(args.bias[i])));
  }
}

__global__ void ResidualNormKernel(ResidualNormArgs args) {
  __shared__ float lanes[kLanes];
  const int64_t token = blockIdx.x;
  BF16* x = args.x + token * args.hidden;
  if (args.update != nullptr) AddUpdate(args, x, args.update + token * args.hidden);
  if (args.weight != nullptr) LayerNorm(args, x, lanes, args.h + token * args.hidden);
}

}  // namespace

cudaError_t LaunchResidualNorm(const ResidualNormArgs& args, cudaStream_t stream) {
  return Launch(ResidualNormKernel, args, args.num_tokens, kThreads, 0, stream);
}

}  // namespace nemo::cuda
