// EvalPlan: from the samples of all tasks to the requests that a Generator gets, and back. What
// several samples ask in one breath becomes one request, and requests that begin alike stand next
// to each other, so that the prefix cache computes their beginning once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/encoding.h"
#include "libcore/eval/registry.h"
#include "libcore/runtime/request.h"
#include "libcore/text/tokenizer.h"

namespace nemo::eval {

/// A task of the run with its samples, in order.
struct PlannedTask {
  const TaskSpec* task = nullptr;
  int64_t num_fewshot = 0;
  int64_t num_rows = 0;  ///< of its split
  std::vector<Sample> samples;
};

/// The responses to a sample's requests, parallel to them.
using Responses = std::vector<EvalResponse>;

/// Where a call's outcome goes.
struct CallUse {
  size_t task = 0, sample = 0, request = 0;
  size_t part = 0;     ///< of a rolling request: its window
  int32_t token = -1;  ///< the one token that is scored, from the whole row; -1: the call's own
};

struct EvalCall {
  GenerateRequest request;
  std::vector<CallUse> uses;
};

/// Ranks that are threads may share one: only Take changes it, and only rank 0 takes. Refers to
/// tasks and tokenizer.
class EvalPlan {
 public:
  /// Plans the samples for which `is_done(task, sample)` is false. Uses `num_threads` to encode.
  /// kInvalidArgument: a prompt that does not fit, with its task and row.
  static Result<EvalPlan> Make(std::span<const PlannedTask> tasks, const Tokenizer& tokenizer,
                               const EncodingOptions& options, int num_threads,
                               const std::function<bool(size_t task, size_t sample)>& is_done);
  /// The same, split between replicas of the model: every sample is in the plan of one of them.
  static Result<std::vector<EvalPlan>> MakeParts(
      std::span<const PlannedTask> tasks, const Tokenizer& tokenizer,
      const EncodingOptions& options, int num_threads,
      const std::function<bool(size_t task, size_t sample)>& is_done, int num_replicas);

  /// In the order in which they are to be run.
  const std::vector<EvalCall>& calls() const { return calls_; }
  int64_t num_samples() const { return num_samples_; }
  /// Room that the longest call needs: prompt and generation, in tokens.
  int64_t max_sequence_tokens() const { return max_sequence_tokens_; }

  /// Samples that have become complete with the outcome of call `index`: task, sample, responses.
  using OnSample = std::function<Status(size_t task, size_t sample, Responses responses)>;
  Status Take(size_t index, const GenerateResult& result, const OnSample& on_sample);

 private:
  struct Open {
    Responses responses;
    std::vector<std::vector<double>> parts;  ///< of each request
    int64_t calls_left = 0;
  };

  EvalPlan(std::span<const PlannedTask> tasks, const Tokenizer& tokenizer);
  void Expect(size_t task, size_t sample);
  void Append(std::vector<struct Draft> drafts);
  std::string Cut(const TaskSpec& task, std::string text) const;
  Open& OpenOf(const CallUse& use) { return open_[use.task][use.sample]; }

  std::span<const PlannedTask> tasks_;
  const Tokenizer* tokenizer_;
  std::vector<EvalCall> calls_;
  std::vector<std::vector<Open>> open_;  ///< of each task and sample
  int64_t num_samples_ = 0;
  int64_t max_sequence_tokens_ = 0;
};

}  // namespace nemo::eval
