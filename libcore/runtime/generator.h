// Generator: drives scheduler, engine and sampler, a step at a time, until each request has its
// tokens. Every rank runs the same loop; the last stage chooses, the choice is broadcast, and all
// ranks know all results.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/end_condition.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/request.h"
#include "libcore/runtime/scheduler.h"
#include "libcore/text/decode_stream.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

struct GenerateOptions {
  int64_t prefill_chunk = 0;  ///< SchedulerOptions
  bool prefix_cache = true;   ///< SchedulerOptions; the answers are the same with and without
};

/// A token was chosen for request `id`; `text` is what of its text is complete. Called on each rank
/// that gives one, in the thread of Step.
using TokenCallback = std::function<void(int64_t id, int32_t token_id, std::string_view text)>;

/// Requests of different lengths and kinds side by side. Ranks must make the same calls in the same
/// order. Not thread-safe; refers to engine and tokenizer.
class Generator {
 public:
  static Result<std::unique_ptr<Generator>> Create(Engine& engine, const Tokenizer& tokenizer,
                                                   const GenerateOptions& options);
  /// Gives up what is not finished.
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// Takes a request and returns its id: 0, 1, 2, ... kInvalidArgument: parameters out of range,
  /// ids outside the vocabulary, or more tokens than the context holds, with the limit; nothing has
  /// run then.
  Result<int64_t> Add(GenerateRequest request);
  /// Gives a request up; it has no result.
  void Cancel(int64_t id);
  bool idle() const { return sequences_.empty(); }
  /// One step of the engine. Collective. An error ends all ranks: the communicator is aborted.
  Status Step(const TokenCallback& on_token = nullptr);
  const Scheduler::Counts& counts() const { return scheduler_.counts(); }
  /// Finished requests, which are forgotten here.
  std::map<int64_t, GenerateResult> TakeFinished();

 private:
  struct Sequence {
    Sequence(GenerateRequest r, EndCondition e, const Tokenizer& tokenizer);
    /// The first position whose row is wanted and has not been asked for.
    int64_t first_row() const;
    bool generates() const { return request.tokens_to_generate > 0; }
    int64_t num_generated() const { return std::ssize(ids) - result.num_prompt_tokens; }
    bool min_reached() const { return num_generated() >= request.min_tokens_to_generate; }

    GenerateRequest request;
    EndCondition end;
    DecodeStream stream;
    std::vector<int32_t> ids;
    int64_t num_asked = 0;  // rows before this position have been asked for, or are not wanted
    GenerateResult result;
    std::chrono::steady_clock::time_point added;
  };
  /// What the last stage tells the others of a row.
  struct RowNews {
    double logprob;    // of the next token
    int32_t token_id;  // the next token: known or just chosen
    int32_t argmax;
  };

  Generator(Engine& engine, const Tokenizer& tokenizer, Scheduler scheduler)
      : engine_(engine), tokenizer_(tokenizer), scheduler_(std::move(scheduler)) {}

  Status CheckRequest(const GenerateRequest& request) const;
  Status RunStep(const TokenCallback& on_token);
  SequenceStep StepOf(const ScheduledSpan& span);
  /// The last stage's ranks: from rows of logits to news.
  Result<std::vector<RowNews>> Decide(const std::vector<ScheduledSpan>& spans, const Batch& batch,
                                      std::span<const LogitRow> rows);
  Result<int32_t> ChooseToken(const Sequence& sequence, const LogitRow& row) const;
  Status ShareWholeRows(const std::vector<ScheduledSpan>& spans, const Batch& batch,
                        std::span<const LogitRow> rows);
  Status Apply(const ScheduledSpan& span, std::span<const RowNews> news,
               const TokenCallback& on_token);
  Status TakeToken(int64_t id, int32_t token_id, const TokenCallback& on_token);
  Status Finish(int64_t id, FinishReason reason);

  Engine& engine_;
  const Tokenizer& tokenizer_;
  Scheduler scheduler_;
  std::map<int64_t, Sequence> sequences_;
  std::map<int64_t, GenerateResult> finished_;
  int64_t next_id_ = 0;
};

}  // namespace nemo
