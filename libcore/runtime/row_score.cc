#include "libcore/runtime/row_score.h"

#include <cmath>

namespace nemo {

Result<RowScore> MergeChunks(std::span<const ChunkStats> chunks) {
  RowScore score;
  for (const ChunkStats& chunk : chunks) {
    if (chunk.argmax < 0) continue;  // padding only
    if (score.argmax < 0 || chunk.max > score.max) {
      score.max = chunk.max;
      score.argmax = chunk.argmax;
    }
  }
  double sum = 0;
  for (const ChunkStats& chunk : chunks) {
    if (chunk.argmax < 0) continue;
    sum += static_cast<double>(chunk.sum) *
           std::exp(static_cast<double>(chunk.max) - static_cast<double>(score.max));
  }
  if (score.argmax < 0 || !std::isfinite(score.max) || !std::isfinite(sum)) {
    return Corruption(
        "the model's logits are not finite numbers; its weights are damaged "
        "(nemo-validate --level values finds where)");
  }
  score.log_sum_exp = static_cast<double>(score.max) + std::log(sum);
  return score;
}

}  // namespace nemo
