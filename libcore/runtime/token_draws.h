// Choosing tokens where no rank has a whole row of logits: each tensor rank tells what is best in
// its shard, one of them concludes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/sampler.h"

namespace nemo {

/// What this rank knows of the draws with these indices, in lists of at most `limit`.
using ListsOfDraws =
    std::function<Result<std::vector<ShardList>>(std::span<const size_t> indices, int64_t limit)>;

/// Chooses a token for each draw. Ranks first exchange the best of each shard, some more than top-k
/// or 128, then, for draws where that does not show the choice, 2048, then all. Collective over the
/// tensor ranks, with the same draws on each; all get the same tokens, and the same whatever their
/// number. kCorruption: a row without any finite number.
Result<std::vector<int32_t>> DrawTokens(Communicator& tp, std::span<const TokenDraw* const> draws,
                                        const ListsOfDraws& lists_of);

}  // namespace nemo
