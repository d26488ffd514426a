// Maximum, its lowest id and the sum of exponentials of one vocabulary chunk, over a vector type V
// of 16 floats (see isa.h).
#pragma once

#include <limits>

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

template <class V>
float MaxOf(const float* values, int64_t count) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  auto max = V::Set(kLowest);
  int64_t i = 0;
  // Max(a, b) is b when a is NaN, so NaN takes no part, as in a comparison.
  for (; i + 16 <= count; i += 16) max = V::Max(V::Load(values + i), max);
  float lanes[16];
  V::Store(lanes, max);
  float result = kLowest;
  for (float lane : lanes) {
    if (lane > result) result = lane;
  }
  for (; i < count; ++i) {
    if (values[i] > result) result = values[i];
  }
  return result;
}

template <class V>
ChunkStats HeadStatsChunk(const StatsTask& task) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  ChunkStats stats{MaxOf<V>(task.logits, task.count), 0.0f, -1};
  float base = 0.0f;
  if (stats.max > kLowest) {
    int64_t first = 0;
    while (task.logits[first] != stats.max) ++first;
    stats.max = base = task.logits[first];
    stats.argmax = static_cast<int32_t>(task.first_id + first);
  }
  for (int64_t i = 0; i < task.count; i += 16) {
    const int64_t n = task.count - i < 16 ? task.count - i : 16;
    float p[16];
    V::Store(p, V::Exp(V::Sub(V::LoadPartial(task.logits + i, n), V::Set(base))));
    for (int64_t lane = 0; lane < n; ++lane) stats.sum += p[lane];
  }
  return stats;
}

}  // namespace nemo::cpu
