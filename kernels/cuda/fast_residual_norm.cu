// Residual and LayerNorm for rows that fit a block's registers: one read of x and the update, one
// write of x and h. A thread has vectors of 8 neighbouring elements; mean and variance are two
// passes over registers.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kVector = 8;

struct Vector {
  float v[kVector];
};

__device__ Vector Load(const BF16* from) {
  const uint4 bits = *reinterpret_cast<const uint4*>(from);
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
  Vector out;
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    out.v[i] = __uint_as_float(i % 2 == 0 ? words[i / 2] << 16 : words[i / 2] & 0xffff0000u);
  }
  return out;
}

__device__ Vector Load(const float* from) {
  const float4 low = *reinterpret_cast<const float4*>(from);
  const float4 high = *reinterpret_cast<const float4*>(from + 4);
  return {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
}

__device__ void Store(const Vector& vector, BF16* to) {
  *reinterpret_cast<uint4*>(to) =
      uint4{PackPair(vector.v[0], vector.v[1]), PackPair(vector.v[2], vector.v[3]),
            PackPair(vector.v[4], vector.v[5]), PackPair(vector.v[6], vector.v[7])};
}

/// Elements [i, i + 8) of the residual stream after the update.
__device__ Vector Updated(const ResidualNormArgs& args, const BF16* x, const float* update,
                          int64_t i) {
  if (update == nullptr) return Load(x + i);
  Vector sum = Load(update + i);
  Vector old = {};
  if (!args.replace) old = Load(x + i);
#pragma unroll
  for (int e = 0; e < kVector; ++e) {
    const float rounded = RoundToBF16(sum.v[e]);
    sum.v[e] = args.replace ? rounded : RoundToBF16(old.v[e] + rounded);
  }
  return sum;
}

__device__ float Gain(const ResidualNormArgs& args, float w) {
  if (!args.zero_centered_gamma) return w;
  const float gain = 1.0f + w;
  return args.profile == DTypeProfile::kHf ? RoundToBF16(gain) : gain;
}

/// kVectors: how many a thread has at most.
template <int kVectors>
__global__ void __launch_bounds__(kThreads) FastResidualNormKernel(ResidualNormArgs args) {
  __shared__ float shared[kThreads / kWarp];
  const int64_t offset = blockIdx.x * args.hidden;
  BF16* x = args.x + offset;
  const float* update = args.update == nullptr ? nullptr : args.update + offset;
  Vector row[kVectors];
  float sum = 0.0f;
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    const int64_t i = (int64_t{j} * kThreads + threadIdx.x) * kVector;
    if (i >= args.hidden) continue;
    row[j] = Updated(args, x, update, i);
    if (update != nullptr) Store(row[j], x + i);
#pragma unroll
    for (int e = 0; e < kVector; ++e) sum += row[j].v[e];
  }
  if (args.weight == nullptr) return;
  const float size = static_cast<float>(args.hidden);
  const float mean = __fdiv_rn(SumOfBlock<kThreads>(sum, shared), size);
  float squares = 0.0f;
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    const int64_t i = (int64_t{j} * kThreads + threadIdx.x) * kVector;
    if (i >= args.hidden) continue;
#pragma unroll
    for (int e = 0; e < kVector; ++e) {
      row[j].v[e] -= mean;
      squares = __fmaf_rn(row[j].v[e], row[j].v[e], squares);
    }
  }
  const float variance = __fdiv_rn(SumOfBlock<kThreads>(squares, shared), size);
  const float rstd = __fdiv_rn(1.0f, __fsqrt_rn(variance + args.epsilon));
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    const int64_t i = (int64_t{j} * kThreads + threadIdx.x) * kVector;
    if (i >= args.hidden) continue;
    const Vector weight = Load(args.weight + i), bias = Load(args.bias + i);
    Vector out;
#pragma unroll
    for (int e = 0; e < kVector; ++e) {
      out.v[e] = __fmaf_rn(row[j].v[e] * rstd, Gain(args, weight.v[e]), bias.v[e]);
    }
    Store(out, args.h + offset + i);
  }
}

bool IsAligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

constexpr int64_t kStepElements = int64_t{kThreads} * kVector;
constexpr int kMostVectors = 8;

}  // namespace

bool FastResidualNormFits(const ResidualNormArgs& args) {
  return args.hidden % kVector == 0 && args.hidden <= kMostVectors * kStepElements &&
         IsAligned(args.x) && IsAligned(args.update) && IsAligned(args.weight) &&
         IsAligned(args.bias) && IsAligned(args.h);
}

cudaError_t LaunchFastResidualNorm(const ResidualNormArgs& args, cudaStream_t stream) {
  const int64_t vectors = (args.hidden + kStepElements - 1) / kStepElements;
  const auto kernel = vectors <= 2   ? FastResidualNormKernel<2>
                      : vectors <= 5 ? FastResidualNormKernel<5>
                                     : FastResidualNormKernel<kMostVectors>;
  return Launch(kernel, args, args.num_tokens, kThreads, 0, stream);
}

}  // namespace nemo::cuda
