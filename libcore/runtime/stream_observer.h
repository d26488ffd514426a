// StreamObserver: who wants to see the residual stream on its way through the layers, to find out
// where two models part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "libcore/base/status.h"

namespace nemo {

/// A place between two blocks of the model: the residual stream with everything up to there in it.
struct StreamPoint {
  enum class After { kEmbedding, kAttention, kMlp };
  After after = After::kEmbedding;
  int64_t layer = -1;  ///< global index; -1 after the embedding
  bool operator==(const StreamPoint&) const = default;
};

/// Called with the rows [num_tokens, hidden_size] of a step, in the elements of its profile
/// (Stage::ElementBytes), valid during the call. Its error ends the step.
using StreamObserver =
    std::function<Status(const StreamPoint& point, std::span<const std::byte> rows)>;

}  // namespace nemo
