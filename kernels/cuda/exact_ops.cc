// The operations with the sums of the contract, and so the bits of the other backends.
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/shared_ops.h"
#include "libcore/base/check.h"

namespace nemo::cuda {
namespace {

Status Linear(Backend& backend, const LinearArgs& args) {
  const auto& weight = static_cast<const DeviceWeight&>(*args.weight);
  const LinearParams params{weight.data(), weight.shape(), args.x, args.m, args.y, args.epilogue};
  return Cuda(backend).Run(LaunchLinear, params, "launch of linear");
}

Status ResidualNorm(Backend& backend, const ResidualNormArgs& args) {
  return Cuda(backend).Run(LaunchResidualNorm, args, "launch of residual_norm");
}

Status Attention(Backend& backend, const AttentionArgs& args) {
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  return Cuda(backend).Run(LaunchAttention, args, "launch of attention");
}

Status HeadStats(Backend& backend, const HeadStatsArgs& args) {
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  return Cuda(backend).Run(LaunchHeadStats, args, "launch of head_stats");
}

}  // namespace

constexpr OpTable kExactOps = {
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
