// The table of one instruction set's inner loops. Included only by isa_*.cc.
#pragma once

#include "kernels/cpu/attention_kernel.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear_kernel.h"
#include "kernels/cpu/norm_kernel.h"
#include "kernels/cpu/rope_kernel.h"
#include "kernels/cpu/stats_kernel.h"

namespace nemo::cpu {

template <class V>
constexpr IsaKernels KernelsOf(const char* name, bool (*available)()) {
  static_assert(V::kRows <= kMaxBlockRows && 4 % V::kColumns == 0);
  return {
      .name = name,
      .available = available,
      .block_rows = V::kRows,
      .pair_bytes = sizeof(typename V::X),
      .pack_panel = PackPanel<V>,
      .panel = Panel<V>,
      .residual_norm_row = ResidualNormRow<V>,
      .rope_append_token = RopeAppendToken<V>,
      .attention = Attention<V>,
      .head_stats = HeadStatsChunk<V>,
  };
}

}  // namespace nemo::cpu
