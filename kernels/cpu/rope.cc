#include "kernels/cpu/cpu_backend.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {

Status RopeAppend(Backend& backend, const RopeAppendArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= args.head_dim);
  CpuBackend& self = Self(backend);
  self.pool().ForEach(args.num_tokens,
                      [&](int64_t token, int) { self.kernels().rope_append_token(args, token); });
  return OkStatus();
}

}  // namespace nemo::cpu
