// Drafts: what the samples of all tasks ask, encoded, in the order in which a plan runs it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/encoding.h"
#include "libcore/eval/plan.h"
#include "libcore/text/tokenizer.h"

namespace nemo::eval {

/// A call for one use, before calls that can share a forward pass are joined.
struct Draft {
  std::vector<int32_t> ids;
  int64_t num_scored = 0;  ///< 0: generates
  CallUse use;
};

/// What the samples at `pending` (task, sample) ask, sorted: scores come first, and what begins
/// alike stands together. kInvalidArgument: a prompt that does not fit, with its task and row.
Result<std::vector<Draft>> MakeDrafts(std::span<const PlannedTask> tasks,
                                      std::span<const std::pair<size_t, size_t>> pending,
                                      const Tokenizer& tokenizer, const EncodingOptions& options,
                                      int num_threads);

/// The replica of each sample, by task and sample (SplitSamples).
using SampleReplicas = std::map<std::pair<size_t, size_t>, int>;
SampleReplicas SplitDrafts(std::span<const Draft> drafts, std::span<const PlannedTask> tasks,
                           int num_replicas);

}  // namespace nemo::eval
