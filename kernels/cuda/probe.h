// What the device can do at best: reading and copying far more memory than its caches hold, and the
// tensor cores on registers alone, or by cuBLASLt's largest product where that is faster.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/device_rates.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo::cuda {

/// Numbers of either sign with magnitudes in [1/2, 1): products of zeros take less power, and so
/// run faster, than those of real data.
struct FillParams {
  uint32_t* data;  ///< pairs of bf16
  int64_t num_words;
};
struct ReadProbeParams {
  const uint4* data;
  int64_t num_vectors;
  uint32_t* out;  ///< [kProbeBlocks * kProbeThreads]: the exclusive or of what each thread read
};
struct ComputeProbeParams {
  int64_t rounds;
  const uint32_t* operands;  ///< [kProbeBlocks * kProbeThreads, 8]
  float* out;                ///< [kProbeBlocks * kProbeThreads]
};
inline constexpr int kProbeThreads = 256;
inline constexpr int kProbeBlocks = 132 * 16;  ///< several waves on any device
inline constexpr int kProbeProducts = 8;  ///< mma of a warp in a round, independent of each other
inline constexpr int kProbeWarp = 32;
inline constexpr double kMmaFlops = 2.0 * 16 * 8 * 16;

cudaError_t LaunchFill(const FillParams& params, cudaStream_t stream);
cudaError_t LaunchReadProbe(const ReadProbeParams& params, cudaStream_t stream);
cudaError_t LaunchComputeProbe(const ComputeProbeParams& params, cudaStream_t stream);

}  // namespace nemo::cuda
