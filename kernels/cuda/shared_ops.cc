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

}  // namespace nemo::cuda
