#include "kernels/cuda/shared_ops.h"

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/kernels.h"
#include "libcore/base/check.h"

namespace nemo::cuda {

Status Embed(Backend& backend, const EmbedArgs& args) {
  EmbedParams params{args, nullptr, {}, args.table, args.hidden};
  if (args.packed != nullptr) {
    const auto& packed = static_cast<const DeviceWeight&>(*args.packed);
    params.panels = packed.in_panels() ? packed.data() : nullptr;
    params.shape = packed.shape();
    params.rows = packed.data();
    params.row_stride = packed.row_stride();
  }
  return Cuda(backend).Run(LaunchEmbed, params, "launch of embed");
}

Status RopeAppend(Backend& backend, const RopeAppendArgs& args) {
  NEMO_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= args.head_dim);
  return Cuda(backend).Run(LaunchRopeAppend, args, "launch of rope_append");
}

Status ShardDraw(Backend& backend, const ShardDrawArgs& args) {
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  return Cuda(backend).Run(LaunchShardDraw, args, "launch of shard_draw");
}

Status PickLogits(Backend& backend, const PickLogitsArgs& args) {
  return Cuda(backend).Run(LaunchPickLogits, args, "launch of pick_logits");
}

}  // namespace nemo::cuda
