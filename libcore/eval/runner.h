// Runs a plan: every rank the same calls in the same order, rank 0 takes the outcomes.
#pragma once

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/eval/plan.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/generator.h"

namespace nemo::eval {

struct RunnerCounts {
  int64_t prompt_tokens = 0;  ///< of all calls; the prefix cache saves some of them
  int64_t reused_tokens = 0;  ///< that it saved
  int64_t generated_tokens = 0;
  double seconds = 0;

  /// Known tokens count: somebody who feeds them again has the same work before them.
  double tokens_per_second() const {
    return seconds > 0 ? static_cast<double>(prompt_tokens + generated_tokens) / seconds : 0;
  }
};

/// Collective over the engine's world. `on_sample` is called on rank 0 only, in its thread; an
/// error of it aborts all ranks. kIo: stopped by a signal.
Status RunPlan(EvalPlan& plan, Engine& engine, const Tokenizer& tokenizer,
               const GenerateOptions& options, Progress& progress,
               const EvalPlan::OnSample& on_sample, RunnerCounts* counts);

}  // namespace nemo::eval
