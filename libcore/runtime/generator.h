// Generator: drives scheduler, engine and sampler, a step at a time, until each request has its
// tokens. Every rank runs the same loop; the last stage chooses, its choices go to the first and
// from there down the stages, and all ranks know all results (docs/runtime.md, "Steps in flight").
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/end_condition.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/request.h"
#include "libcore/runtime/request_runner.h"
#include "libcore/runtime/scheduler.h"
#include "libcore/runtime/step_news.h"
#include "libcore/runtime/stop_text.h"
#include "libcore/text/decode_stream.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

struct GenerateOptions {
  int64_t prefill_chunk = 0;  ///< SchedulerOptions
  bool prefix_cache = true;   ///< SchedulerOptions; the answers are the same with and without
};

/// Requests of different lengths and kinds side by side. Ranks must make the same calls in the same
/// order. Not thread-safe; refers to engine and tokenizer.
class Generator final : public RequestRunner {
 public:
  static Result<std::unique_ptr<Generator>> Create(Engine& engine, const Tokenizer& tokenizer,
                                                   const GenerateOptions& options);
  /// Gives up what is not finished.
  ~Generator() override;
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// What CheckRequest wants to know of this generator.
  RequestLimits limits() const;
  Result<int64_t> Add(GenerateRequest request) override;
  void Cancel(int64_t id) override;
  bool idle() const override { return sequences_.empty() && flights_.empty(); }
  Status Step(const TokenCallback& on_token = nullptr) override;
  const Scheduler::Counts& counts() const override { return scheduler_.counts(); }
  GeneratorLoad load() const override;
  std::map<int64_t, GenerateResult> TakeFinished() override;

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
    StopText stop;
    DecodeStream stream;
    std::vector<int32_t> ids;
    int64_t num_asked = 0;  // rows before this position have been asked for, or are not wanted
    GenerateResult result;
    std::chrono::steady_clock::time_point added;
  };
  /// A step that the stages work on.
  struct Flight {
    uint64_t step = 0;
    std::vector<ScheduledSpan> spans;
    Batch batch;                       // as many sequences, in the same order
    size_t num_rows = 0, num_top = 0;  // of its news
    uint64_t digest = 0;               // of the work, to find out when ranks do not do the same
    // On the rank that speaks for the last stage, when it is the first stage's too.
    StepNews news;
    std::vector<std::vector<float>> whole_rows;
  };
  /// The part of a step's news that is about one sequence.
  struct News {
    std::span<const RowNews> rows;
    std::span<const TokenLogprob> top;
  };

  Generator(Engine& engine, const Tokenizer& tokenizer, Scheduler scheduler)
      : engine_(engine), tokenizer_(tokenizer), scheduler_(std::move(scheduler)) {}

  Status RunStep(const TokenCallback& on_token);
  /// Schedules a step and runs it through this rank's stage. False: nothing can run now.
  Result<bool> TakeOff();
  /// Waits for the news of the oldest step under way, and acts on it.
  Status Land(const TokenCallback& on_token);
  SequenceStep StepOf(const ScheduledSpan& span);
  /// The rank that speaks for the last stage: from rows of logits to news.
  Status Report(std::span<const LogitRow> rows, Flight& flight);
  TokenDraw DrawOf(const Sequence& sequence) const;
  /// From the last stage to rank 0, over its stage, and from stage to stage.
  Status PassNews(Flight& flight);
  /// They go to rank 0 alone: they are large.
  Status ReceiveWholeRows(Flight& flight);
  Status Apply(const ScheduledSpan& span, const SequenceStep& step, const News& news,
               const TokenCallback& on_token);
  /// `news` are about the positions before `end`.
  void KeepLogprobs(Sequence& sequence, int64_t end, int64_t num_top, const News& news);
  Status TakeToken(int64_t id, const RowNews& chosen, const TokenCallback& on_token);
  Status Finish(int64_t id, FinishReason reason);

  Engine& engine_;
  const Tokenizer& tokenizer_;
  Scheduler scheduler_;
  std::map<int64_t, Sequence> sequences_;
  std::map<int64_t, GenerateResult> finished_;
  std::deque<Flight> flights_;  // oldest first
  int64_t next_id_ = 0;
  uint64_t next_step_ = 0;
};

}  // namespace nemo
