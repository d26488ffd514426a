#include <algorithm>
#include <cmath>

#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

constexpr OpRow kRows[] = {
    {"linear", "the products of a layer and of the output layer", LinearCases},
    {"embed", "rows of the embedding", EmbedCases},
    {"residual_norm", "x += update, then LayerNorm", ResidualNormCases},
    {"rope_append", "rotary positions, keys and values into their pages", RopeAppendCases},
    {"attention", "decode at several batches and lengths, prefill", AttentionCases},
    {"head_stats", "maximum and sum of exponentials of each row of logits", HeadStatsCases},
};

}  // namespace

std::span<const OpRow> OpRows() { return kRows; }

int64_t CopiesFor(const OpContext& context, double bytes) {
  constexpr double kMost = 1 << 16;
  return static_cast<int64_t>(std::clamp(
      std::ceil(static_cast<double>(context.rotate_bytes) / std::max(bytes, 1.0)), 1.0, kMost));
}

}  // namespace nemo
