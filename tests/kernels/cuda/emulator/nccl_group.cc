// The emulator has no NCCL.
#include "kernels/cuda/nccl_group.h"

namespace nemo::cuda {

Result<NcclId> NewNcclId() { return Unavailable("no NCCL in the emulator"); }

Result<std::unique_ptr<NcclGroup>> JoinNccl(const NcclId&, int, int, int64_t) {
  return Unavailable("no NCCL in the emulator");
}

}  // namespace nemo::cuda
