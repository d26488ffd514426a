// The table of one instruction set's inner loops. Included only by isa_*.cc.
#pragma once

#include "kernels/cpu/attention_kernel.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear_kernel.h"
#include "kernels/cpu/norm_kernel.h"
#include "kernels/cpu/rope_kernel.h"
#include "kernels/cpu/stats_kernel.h"

namespace nemo::cpu {

// Rows that pass a panel together. Enough that a step of the scheduler reads the weights once; few
// enough that the sums of a panel stay in the second-level cache. Widened columns meet the rows in
// four turns, so the slices of the rows must stay there too; the weights are read more often, but
// slowly.
inline constexpr int64_t kPanelRows = 384, kWidePanelRows = 128;

template <class V>
constexpr IsaKernels KernelsOf(const char* name, bool (*available)()) {
  static_assert(V::kRows <= kMaxBlockRows && 4 % V::kColumns == 0);
  return {
      .name = name,
      .available = available,
      .panel_rows = V::kWidens ? kWidePanelRows : kPanelRows,
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
