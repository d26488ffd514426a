#include "tools/nemo-generate/rank.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/generator.h"
#include "tools/common/terminal.h"

namespace nemo {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Buffers for what the pending requests need, not for what the model could hold.
EngineOptions OptionsFor(const GenerateJob& job, const Work& work) {
  EngineOptions options;
  // One after the other, so that streamed texts do not mix.
  options.max_sequences =
      job.stream ? 1 : std::min(job.machine.max_batch_size, std::ssize(work.pending));
  for (const int64_t index : work.pending) {
    const GenerateRequest& request = work.requests[index];
    options.max_sequence_tokens = std::max(
        options.max_sequence_tokens, std::ssize(request.prompt_ids) + request.tokens_to_generate);
  }
  return options;
}

/// The pending requests from first to last. Rank 0 speaks.
class Run {
 public:
  Run(const Session& session, const Work& work, Engine& engine, Progress& progress,
      AnswerSink& sink, RunReport* report)
      : session_(session),
        work_(work),
        engine_(engine),
        progress_(progress),
        sink_(sink),
        report_(report),
        speaks_(engine.world().rank() == 0) {}

  Status All() {
    NEMO_ASSIGN_OR_RETURN(
        generator_, Generator::Create(engine_, *session_.model.tokenizer,
                                      {.prefill_chunk = session_.job.machine.prefill_chunk,
                                       .prefix_cache = session_.job.machine.prefix_cache == "on"}));
    for (const int64_t index : work_.pending) {
      auto id = generator_->Add(work_.requests[index]);
      if (!id) return id.error().At(work_.prompts[index].where);
    }
    progress_.Start("generating", std::ssize(work_.pending), "requests");
    const Status status = Steps();
    progress_.Finish();
    report_->generate_seconds = SecondsSince(start_);
    if (!status.ok() && speaks_) sink_.Stop();
    return status;
  }

 private:
  Status Steps() {
    // Ids are given in the order of Add.
    const TokenCallback on_token = [this](const TokenEvent& event) {
      ++num_tokens_;
      if (speaks_ && session_.job.stream) sink_.OnText(work_.pending[event.id], event.text);
    };
    while (!generator_->idle()) {
      if (StopRequested()) return Abort(IoError(Format("stopped by signal {}", StopSignal())));
      NEMO_RETURN_IF_ERROR(generator_->Step(on_token));
      int64_t num_finished = 0;
      for (auto& [id, result] : generator_->TakeFinished()) {
        ++num_finished;
        const int64_t index = work_.pending[id];
        report_->Count(index, result);
        if (!speaks_) continue;
        if (Status status = sink_.Take(index, std::move(result)); !status.ok()) {
          return Abort(std::move(status));
        }
      }
      progress_.Remark(Format("{:.1f} tokens/s", num_tokens_ / SecondsSince(start_)));
      progress_.Add(num_finished);
    }
    return OkStatus();
  }

  /// The others would wait for this rank.
  Status Abort(Status status) {
    engine_.world().Abort(status.message());
    return status;
  }

  const Session& session_;
  const Work& work_;
  Engine& engine_;
  Progress& progress_;
  AnswerSink& sink_;
  RunReport* report_;
  const bool speaks_;
  const Clock::time_point start_ = Clock::now();
  std::unique_ptr<Generator> generator_;
  double num_tokens_ = 0;  // generated
};

}  // namespace

Status RunRank(const Session& session, const Work& work, Communicator& world,
               const Console& console, AnswerSink& sink, RunReport* report) {
  const GenerateJob& job = session.job;
  const bool speaks = world.rank() == 0;
  NEMO_ASSIGN_OR_RETURN(const LoadedModel model,
                        LoadModel(session.model, world, OptionsFor(job, work), console));
  RunReport own;
  own.layout = ToString(session.model.layout);
  own.backend = model.BackendName();
  own.seed = work.seed;
  own.load_seconds = model.load_seconds;
  // Sentences that appear on the terminal are progress enough, and would mix with it.
  const bool draws = speaks && (!job.output.empty() || !IsTerminal(stdout));
  Progress& progress = draws    ? console.progress()
                       : speaks ? console.quiet_progress()
                                : NullProgress();
  const Status status = Run(session, work, *model.engine, progress, sink, &own).All();
  if (speaks) *report = own;
  return status;
}

}  // namespace nemo
