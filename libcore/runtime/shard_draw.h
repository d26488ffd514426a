// The operation shard_draw (backend.h) in pieces, for backends whose memory is the host's: first
// every row is scaled, then each chunk and each list stands alone.
#pragma once

#include <cstdint>

#include "libcore/runtime/backend.h"

namespace nemo {

/// All of them: `draw` counts the rows to choose from, `chunk` the chunks of a row. Callers hold
/// FlushDenormals.
void ScaleForDraw(const ShardDrawArgs& args, int64_t draw);
void DrawFromChunk(const ShardDrawArgs& args, int64_t draw, int64_t chunk);
void ListBest(const ShardDrawArgs& args, int64_t draw);

/// The operation pick_logits.
void PickLogits(const PickLogitsArgs& args);

}  // namespace nemo
