// The operations on the tensor cores: the rounding points of the contract, sums in an order of
// their own. What the fast kernels are not made for goes to the exact ones.
#include <cstdint>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/shared_ops.h"
#include "libcore/base/check.h"

namespace nemo::cuda {
namespace {

constexpr int64_t kGemmScratchBytes = int64_t{32} << 20;

bool IsAligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

/// kUnsupported: the library has no such product, or is not here.
Status LibraryLinear(CudaBackend& backend, const DeviceWeight& weight, const LinearArgs& args) {
  const int64_t n = weight.n(), k = weight.k();
  GemmChooser* const gemm = backend.gemm();
  if (gemm == nullptr || k % kRowElements != 0 || n % kRowElements != 0 || !IsAligned(args.x) ||
      !IsAligned(args.y)) {
    return Unsupported("not a product for the library");
  }
  const GemmShape shape{args.m, n, k, weight.row_stride(), args.epilogue == Epilogue::kFloat};
  NEMO_ASSIGN_OR_RETURN(float* const scratch,
                        backend.Scratch(kGemmScratchBytes / static_cast<int64_t>(sizeof(float))));
  NEMO_RETURN_IF_ERROR(backend.device().Enter());
  NEMO_RETURN_IF_ERROR(gemm->Run(shape, weight.data(), args.x, args.y, scratch, kGemmScratchBytes,
                                 backend.device().stream()));
  if (args.epilogue != Epilogue::kRelu2Bf16) return OkStatus();
  const SquaredReluParams params{static_cast<BF16*>(args.y), args.m * n};
  return backend.Run(LaunchSquaredRelu, params, "launch of squared ReLU");
}

Status OwnLinear(CudaBackend& backend, const DeviceWeight& weight, const LinearArgs& args) {
  FastLinearParams params{};
  params.weight = weight.data();
  params.n = weight.n();
  params.k = weight.k();
  params.row_stride = weight.row_stride();
  params.x = args.x;
  params.x_is_aligned = params.k % kRowElements == 0 && IsAligned(args.x);
  params.m = args.m;
  params.y = args.y;
  params.epilogue = args.epilogue;
  params.plan = PlanLinear(params.m, params.n, params.k, backend.device().num_multiprocessors());
  NEMO_ASSIGN_OR_RETURN(params.partials,
                        backend.Scratch(params.plan.partial_floats(params.m, params.n)));
  return backend.Run(LaunchFastLinear, params, "launch of linear");
}

Status Linear(Backend& backend, const LinearArgs& args) {
  if (args.m == 0) return OkStatus();
  const auto& weight = static_cast<const DeviceWeight&>(*args.weight);
  if (args.m <= kMaxTileTokens) return OwnLinear(Cuda(backend), weight, args);
  const Status done = LibraryLinear(Cuda(backend), weight, args);
  return done.code() == StatusCode::kUnsupported ? OwnLinear(Cuda(backend), weight, args) : done;
}

Status ResidualNorm(Backend& backend, const ResidualNormArgs& args) {
  return Cuda(backend).Run(FastResidualNormFits(args) ? LaunchFastResidualNorm : LaunchResidualNorm,
                           args, "launch of residual_norm");
}

Status Attention(Backend& backend, const AttentionArgs& args) {
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  if (args.num_tokens == 0) return OkStatus();
  CudaBackend& cuda = Cuda(backend);
  if (!FastAttentionFits(args.num_q_heads, args.num_kv_heads, args.head_dim) ||
      !IsAligned(args.pages)) {
    return cuda.Run(LaunchAttention, args, "launch of attention");
  }
  FastAttentionParams params{args, {}, nullptr};
  params.plan =
      PlanAttention(args.num_tokens, args.num_q_heads, args.num_kv_heads, args.page_table_stride);
  NEMO_ASSIGN_OR_RETURN(
      params.partials,
      cuda.Scratch(PartialFloats(params.plan, args.num_tokens, args.num_q_heads, args.head_dim)));
  NEMO_RETURN_IF_ERROR(cuda.Run(LaunchDecodeAttention, params, "launch of decode attention"));
  if (args.num_tokens == 1) return OkStatus();  // it is alone
  return cuda.Run(LaunchPrefillAttention, params, "launch of prefill attention");
}

Status HeadStats(Backend& backend, const HeadStatsArgs& args) {
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  return Cuda(backend).Run(LaunchFastHeadStats, args, "launch of head_stats");
}

}  // namespace

constexpr OpTable kFastOps = {
    .linear = Linear,
    .embed = Embed,
    .residual_norm = ResidualNorm,
    .rope_append = RopeAppend,
    .attention = Attention,
    .head_stats = HeadStats,
    .shard_draw = ShardDraw,
    .pick_logits = PickLogits,
};

}  // namespace nemo::cuda

namespace nemo {

Status CudaLibraryLinear(Backend& backend, const LinearArgs& args) {
  const auto& weight = static_cast<const cuda::DeviceWeight&>(*args.weight);
  if (weight.in_panels()) return Unsupported("the library does not know weights in panels");
  return cuda::LibraryLinear(cuda::Cuda(backend), weight, args);
}

std::string CudaLibraryName(Backend& backend) {
  cuda::GemmChooser* const gemm = cuda::Cuda(backend).gemm();
  return gemm == nullptr ? "" : gemm->library().name();
}

}  // namespace nemo
