// The launch functions: what stands between the host compiler (backend.cc) and nvcc (*.cu). Each
// puts one operation of OpTable on a stream and returns the runtime's answer to the launch; no work
// is no launch. Pointers in the arguments are device memory. Contracts of the operations:
// libcore/runtime/backend.h.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/packed_weight.h"
#include "libcore/runtime/backend.h"

namespace nemo::cuda {

/// LinearArgs with the weight as the device sees it.
struct LinearParams {
  const BF16* weight;
  PackedShape shape;
  const BF16* x;
  int64_t m;
  void* y;
  Epilogue epilogue;
};

/// EmbedArgs with the packed table, if it is one, as the device sees it.
struct EmbedParams {
  EmbedArgs args;
  const BF16* packed;
  PackedShape shape;
};

cudaError_t LaunchLinear(const LinearParams& params, cudaStream_t stream);
cudaError_t LaunchEmbed(const EmbedParams& params, cudaStream_t stream);
cudaError_t LaunchResidualNorm(const ResidualNormArgs& args, cudaStream_t stream);
cudaError_t LaunchRopeAppend(const RopeAppendArgs& args, cudaStream_t stream);
cudaError_t LaunchAttention(const AttentionArgs& args, cudaStream_t stream);
cudaError_t LaunchHeadStats(const HeadStatsArgs& args, cudaStream_t stream);

/// Whether the current device can run this build's kernels: cudaErrorNoKernelImageForDevice and the
/// like.
cudaError_t CheckMachineCode();

}  // namespace nemo::cuda
