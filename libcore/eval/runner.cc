#include "libcore/eval/runner.h"

#include <chrono>
#include <memory>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

using Clock = std::chrono::steady_clock;

/// Calls that wait in the generator; more only cost memory.
constexpr int64_t kAhead = 256;

class Run {
 public:
  Run(EvalPlan& plan, Engine& engine, Generator& generator, Progress& progress,
      const EvalPlan::OnSample& on_sample, RunnerCounts& counts)
      : plan_(plan),
        engine_(engine),
        generator_(generator),
        progress_(progress),
        on_sample_(on_sample),
        counts_(counts) {}

  Status All() {
    while (next_ < plan_.calls().size() || !generator_.idle()) {
      if (StopRequested()) return Abort(IoError(Format("stopped by signal {}", StopSignal())));
      NEMO_RETURN_IF_ERROR(Feed());
      NEMO_RETURN_IF_ERROR(generator_.Step());
      for (const auto& [id, result] : generator_.TakeFinished()) {
        if (Status status = Take(id, result); !status.ok()) return Abort(std::move(status));
      }
    }
    counts_.reused_tokens = generator_.counts().reused_tokens;
    return OkStatus();
  }

 private:
  // Ids are given in the order of Add, which is the order of the calls.
  Status Feed() {
    for (; next_ < plan_.calls().size() && num_open_ < kAhead; ++next_, ++num_open_) {
      const GenerateRequest& request = plan_.calls()[next_].request;
      counts_.prompt_tokens += std::ssize(request.prompt_ids);
      NEMO_RETURN_IF_ERROR(generator_.Add(request).error());
    }
    return OkStatus();
  }

  Status Take(int64_t id, const GenerateResult& result) {
    --num_open_;
    counts_.generated_tokens += std::ssize(result.token_ids) - result.num_prompt_tokens;
    if (engine_.world().rank() != 0) return OkStatus();
    NEMO_RETURN_IF_ERROR(plan_.Take(static_cast<size_t>(id), result,
                                    [&](size_t task, size_t sample, Responses responses) {
                                      progress_.Add(1);
                                      return on_sample_(task, sample, std::move(responses));
                                    }));
    counts_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    progress_.Remark(Format("{:.0f} tokens/s", counts_.tokens_per_second()));
    return OkStatus();
  }

  /// The others would wait for this rank.
  Status Abort(Status status) {
    engine_.world().Abort(status.message());
    return status;
  }

  EvalPlan& plan_;
  Engine& engine_;
  Generator& generator_;
  Progress& progress_;
  const EvalPlan::OnSample& on_sample_;
  RunnerCounts& counts_;
  const Clock::time_point start_ = Clock::now();
  size_t next_ = 0;
  int64_t num_open_ = 0;
};

}  // namespace

Status RunPlan(EvalPlan& plan, Engine& engine, const Tokenizer& tokenizer,
               const GenerateOptions& options, Progress& progress,
               const EvalPlan::OnSample& on_sample, RunnerCounts* counts) {
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Generator> generator,
                        Generator::Create(engine, tokenizer, options));
  progress.Start("evaluating", plan.num_samples(), "samples");
  const Status status = Run(plan, engine, *generator, progress, on_sample, *counts).All();
  progress.Finish();
  return status;
}

}  // namespace nemo::eval
