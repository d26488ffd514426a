// The launch functions: what stands between the host compiler (backend.cc) and nvcc (*.cu). Each
// puts one operation of OpTable on a stream and returns the runtime's answer to the launch; no work
// is no launch. Pointers in the arguments are device memory. Contracts of the operations:
// libcore/runtime/backend.h.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/linear_plan.h"
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

/// EmbedArgs with the table as the device sees it: in panels, or in rows.
struct EmbedParams {
  EmbedArgs args;
  const BF16* panels;  ///< or nullptr
  PackedShape shape;
  const BF16* rows;
  int64_t row_stride;
};

/// Rows of a weight that were uploaded as they are, and the panels that they become.
struct PackParams {
  const BF16* rows;  ///< [part.n, part.k]
  PackedShape part;
  BF16* panels;  ///< of the first row
};

/// LinearArgs with a weight in rows, whose ends are zeros up to `row_stride`, a multiple of 8.
struct FastLinearParams {
  const BF16* weight;
  int64_t n, k, row_stride;
  const BF16* x;
  bool x_is_aligned;  ///< all its rows, to 16 bytes
  int64_t m;
  void* y;
  Epilogue epilogue;
  LinearPlan plan;
  float* partials;  ///< plan.partial_floats
};

struct SquaredReluParams {
  BF16* y;
  int64_t size;
};

/// AttentionArgs where FastAttentionFits.
struct FastAttentionParams {
  AttentionArgs args;
  AttentionPlan plan;
  float* partials;  ///< PartialFloats
};

// In the canonical order of the contract.
cudaError_t LaunchLinear(const LinearParams& params, cudaStream_t stream);
cudaError_t LaunchEmbed(const EmbedParams& params, cudaStream_t stream);
cudaError_t LaunchResidualNorm(const ResidualNormArgs& args, cudaStream_t stream);
cudaError_t LaunchRopeAppend(const RopeAppendArgs& args, cudaStream_t stream);
cudaError_t LaunchAttention(const AttentionArgs& args, cudaStream_t stream);
cudaError_t LaunchHeadStats(const HeadStatsArgs& args, cudaStream_t stream);
cudaError_t LaunchShardDraw(const ShardDrawArgs& args, cudaStream_t stream);
cudaError_t LaunchPickLogits(const PickLogitsArgs& args, cudaStream_t stream);
cudaError_t LaunchPack(const PackParams& params, cudaStream_t stream);

// Within rounding of it: the same bits for the same arguments on the same kind of device.
cudaError_t LaunchFastLinear(const FastLinearParams& params, cudaStream_t stream);
cudaError_t LaunchSquaredRelu(const SquaredReluParams& params, cudaStream_t stream);
/// Whether the fast norm takes rows of this length and alignment.
bool FastResidualNormFits(const ResidualNormArgs& args);
cudaError_t LaunchFastResidualNorm(const ResidualNormArgs& args, cudaStream_t stream);
/// Tokens without a neighbour of their sequence in the batch, and those that have one.
cudaError_t LaunchDecodeAttention(const FastAttentionParams& params, cudaStream_t stream);
cudaError_t LaunchPrefillAttention(const FastAttentionParams& params, cudaStream_t stream);
cudaError_t LaunchFastHeadStats(const HeadStatsArgs& args, cudaStream_t stream);

/// Whether the current device can run this build's kernels: cudaErrorNoKernelImageForDevice and the
/// like.
cudaError_t CheckMachineCode();

}  // namespace nemo::cuda
