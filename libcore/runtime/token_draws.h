// Choosing tokens where no rank has a whole row of logits: each tensor rank tells what is best in
// its shard, one of them concludes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/sampler.h"

namespace nemo {

/// A row to choose from, as this rank has it.
struct ShardRow {
  const TokenDraw* draw = nullptr;
  std::vector<float> logits;  ///< of this rank's columns inside the vocabulary
};

/// Chooses a token for each row. Ranks first exchange the best of each shard, some more than top-k
/// or 128, then, for rows where that does not show the choice, 2048, then all. Collective over the
/// tensor ranks, with the same draws on each; all get the same tokens, and the same whatever their
/// number. `cut` is this rank's. kCorruption: a row without any finite number.
Result<std::vector<int32_t>> DrawTokens(Communicator& tp, const VocabCut& cut,
                                        std::span<ShardRow> rows);

}  // namespace nemo
