#include "kernels/cpu/cpu_backend.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {

Status ResidualNorm(Backend& backend, const ResidualNormArgs& args) {
  const FlushDenormals flush;
  CpuBackend& self = Self(backend);
  self.pool().ForEach(args.num_tokens,
                      [&](int64_t token, int) { self.kernels().residual_norm_row(args, token); });
  return OkStatus();
}

}  // namespace nemo::cpu
