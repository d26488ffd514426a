// Rows of the embedding table. A block per token.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 256;

/// A denormal becomes the zero of its sign: integer steps, because a load and a store do no
/// arithmetic that would flush it.
__device__ float FlushedFloat(BF16 value) {
  const bool is_denormal = (value & 0x7f80u) == 0;
  return FloatFromBF16(is_denormal ? static_cast<BF16>(value & 0x8000u) : value);
}

__device__ BF16 Element(const EmbedParams& params, int64_t row, int64_t i) {
  if (params.panels == nullptr) return params.rows[row * params.row_stride + i];
  const int64_t group = params.shape.Offset(row / kPanelColumns, 0, row % kPanelColumns) +
                        i / kGroupElements * (kPanelColumns * kGroupElements);
  return params.panels[group + i % kGroupElements];
}

__global__ void EmbedKernel(EmbedParams params) {
  const EmbedArgs& args = params.args;
  const int64_t token = blockIdx.x;
  const int64_t row = args.token_ids[token] - args.vocab_begin;
  const bool is_here = row >= 0 && row < args.num_rows;
  float* out = args.out + token * args.hidden;
  for (int64_t i = threadIdx.x; i < args.hidden; i += kThreads) {
    out[i] = is_here ? FlushedFloat(Element(params, row, i)) : -0.0f;
  }
}

}  // namespace

cudaError_t LaunchEmbed(const EmbedParams& params, cudaStream_t stream) {
  return Launch(EmbedKernel, params, params.args.num_tokens, kThreads, 0, stream);
}

cudaError_t CheckMachineCode() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, EmbedKernel);
}

}  // namespace nemo::cuda
