// What one rank takes of its device's memory, before anything of it is allocated.
#pragma once

#include <cstdint>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/runtime/engine.h"

namespace nemo {

struct RankMemory {
  int64_t weight_bytes = 0;
  int64_t kv_bytes = 0;    ///< all pages of its layers
  int64_t step_bytes = 0;  ///< activations and logits of a step
  int64_t size_bytes() const { return weight_bytes + kv_bytes + step_bytes; }
};

/// Of an engine with these options (0: its defaults); without what a backend pads or keeps beside
/// it. Errors of ShapeOfRank.
Result<RankMemory> MemoryOfRank(const ModelConfig& config, const ParallelLayout& layout,
                                int64_t rank, const EngineOptions& options);

}  // namespace nemo
