// What is worth knowing of a row of logits, put together from the statistics of its vocabulary
// chunks. Chunks do not depend on the layout, and they are merged in their order, so neither does
// the result.
#pragma once

#include <cstdint>
#include <span>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

struct RowScore {
  float max = 0;
  int32_t argmax = -1;     ///< the lowest id with the maximum
  double log_sum_exp = 0;  ///< over the real vocabulary

  double LogProb(float logit) const { return static_cast<double>(logit) - log_sum_exp; }
};

/// `chunks` are all chunks of one row, in vocabulary order. kCorruption: no logit is a finite
/// number, which damaged weights cause.
Result<RowScore> MergeChunks(std::span<const ChunkStats> chunks);

}  // namespace nemo
