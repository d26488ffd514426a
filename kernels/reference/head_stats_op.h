// Maximum and sum of exponentials of the chunks of a row of logits.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

ChunkStats StatsOf(const float* logits, int64_t count, int64_t first_id) {
  ChunkStats stats{-std::numeric_limits<float>::infinity(), 0.0f, -1};
  for (int64_t i = 0; i < count; ++i) {
    if (logits[i] > stats.max) {
      stats.max = logits[i];
      stats.argmax = static_cast<int32_t>(first_id + i);
    }
  }
  // Logits of -inf throughout weigh nothing; -inf - (-inf) would be NaN.
  const float base = std::isinf(stats.max) && stats.max < 0 ? 0.0f : stats.max;
  for (int64_t i = 0; i < count; ++i) stats.sum += ExpF32(logits[i] - base);
  return stats;
}

Status HeadStats(Backend&, const HeadStatsArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  for (int64_t row = 0; row < args.num_rows; ++row) {
    for (int64_t chunk = 0; chunk < num_chunks; ++chunk) {
      const int64_t first_id = args.column_begin + chunk * args.chunk_columns;
      const int64_t count = std::clamp<int64_t>(args.vocab_size - first_id, 0, args.chunk_columns);
      const float* logits = args.logits + row * args.num_columns + chunk * args.chunk_columns;
      args.out[row * num_chunks + chunk] = StatsOf(logits, count, first_id);
    }
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
