// Stage: what one rank computes in a step, its layers and what stands before and after them, in
// the arithmetic of a profile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/kv_cache.h"
#include "libcore/runtime/logit_head.h"
#include "libcore/runtime/stream_observer.h"
#include "libcore/runtime/weights.h"

namespace nemo {

/// The tokens of a step, one row each.
struct StepTokens {
  std::vector<int32_t> token_ids;
  std::vector<int32_t> positions;
  std::vector<int32_t> sequence_of;  ///< slot of the KV cache
  bool one_each = false;             ///< of each sequence that takes part
};

/// One per rank. Not thread-safe; refers to everything in its parts.
class Stage {
 public:
  struct Parts {
    const ModelConfig& config;
    const RankWeights& weights;
    Backend& backend;
    Communicator& world;
    Communicator& tp;  ///< the ranks of this stage
    KvCache& kv;       ///< its elements are ElementBytes(profile) long
    DTypeProfile profile;
    int64_t max_step_tokens;  ///< of one Run
    int64_t max_sequence_tokens;
    int64_t logit_rows;  ///< in memory at once
  };

  /// kInvalidArgument: the backend lacks what the profile needs. kIo: out of memory.
  static Result<std::unique_ptr<Stage>> Create(const Parts& parts);
  virtual ~Stage() = default;
  /// Bytes of an activation, on its way and in the KV cache.
  static int64_t ElementBytes(DTypeProfile profile);

  /// Collective over the world: the tokens go through all stages. On the last one the requested
  /// rows, in their order; nothing elsewhere.
  virtual Result<std::vector<LogitRow>> Run(const StepTokens& tokens,
                                            std::span<const LogitRequest> requests) = 0;

  /// From now on `observer` sees what each block of this stage leaves; null: nobody does, and it
  /// costs nothing. Watched steps are not replayed.
  virtual void Observe(StreamObserver observer) = 0;
};

}  // namespace nemo
