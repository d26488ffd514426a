#include "tools/nemo-eval/run.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/eval/lm_eval_files.h"
#include "libcore/eval/runner.h"
#include "libcore/eval/sandbox/sandbox.h"
#include "tools/common/model_world.h"
#include "tools/nemo-eval/answers.h"
#include "tools/nemo-eval/builtin_tasks.h"
#include "tools/nemo-eval/output.h"
#include "tools/nemo-eval/work.h"

namespace nemo {
namespace {

using eval::EvalPlan;
using eval::PlannedTask;
using eval::Responses;

/// The tool's answer when a catalog was asked for.
void PrintList(const eval::Catalog& catalog, const Console& console) {
  if (console.json()) return console.PrintJson(ListValue(catalog));
  console.Print(ListText(catalog));
}

/// One process' part of a run; rank 0's takes the answers.
class EvalRun {
 public:
  EvalRun(const EvalJob& job, const eval::Catalog& catalog, const eval::Selection& selection,
          const Console& console)
      : job_(job), catalog_(catalog), selection_(selection), console_(console) {}

  Status All(ModelSession& session, Communicator& processes, const RunAllRanks& run_ranks) {
    speaks_ = processes.rank() == 0;
    NEMO_RETURN_IF_ERROR(OpenSandbox());
    SetLength(session);
    NEMO_ASSIGN_OR_RETURN(tasks_, LoadTasks(job_, selection_));
    answers_.emplace(job_, tasks_, session.num_replicas);
    NEMO_RETURN_IF_ERROR(ShareAnswers(session, processes));
    NEMO_ASSIGN_OR_RETURN(
        std::vector<EvalPlan> plans,
        EvalPlan::MakeParts(
            tasks_, *session.tokenizer, encoding_, console_.threads(),
            [&](size_t task, size_t sample) { return answers_->IsDone(task, sample); },
            static_cast<int>(session.num_replicas)));
    const bool is_done = std::all_of(plans.begin(), plans.end(),
                                     [](const EvalPlan& plan) { return plan.num_samples() == 0; });
    if (!is_done) {
      NEMO_RETURN_IF_ERROR(run_ranks([&](Communicator& ranks) -> Status {
        NEMO_ASSIGN_OR_RETURN(const Replica replica, JoinReplica(session, ranks));
        return RunRank(session, plans[replica.index], replica);
      }));
      NEMO_RETURN_IF_ERROR(answers_->Gather(processes, session.layout.world_size()));
    }
    return speaks_ ? Report(session) : OkStatus();
  }

 private:
  /// Before anything else: whether programs can be run does not depend on the model.
  Status OpenSandbox() {
    const bool wanted = std::any_of(selection_.tasks.begin(), selection_.tasks.end(),
                                    [](const auto& choice) { return choice.task->kind == "code"; });
    if (!wanted || !speaks_) return OkStatus();
    NEMO_ASSIGN_OR_RETURN(sandbox_, Sandbox::Create());
    console_.Note(Format("sandbox: {}", sandbox_->description()));
    return OkStatus();
  }

  // The last token of a sequence is scored, and never fed; so one more than the model sees at once
  // may be given. A longer --max-length than the model was trained for is the user's choice.
  void SetLength(ModelSession& session) {
    int64_t& context = session.checkpoint.config.max_position_embeddings;
    encoding_ = {job_.max_length > 0 ? job_.max_length : context, job_.add_bos};
    if (encoding_.max_length > context) {
      console_.Note(Format("--max-length {} is more than the {} of the model's context",
                           encoding_.max_length, context));
    }
    context = std::max(context, encoding_.max_length) + 1;
  }

  /// Rank 0 opens the journal; what it holds is not asked about again, on any rank.
  Status ShareAnswers(const ModelSession& session, Communicator& processes) {
    if (speaks_) {
      if (Status status = OpenAnswers(session); !status.ok()) {
        processes.Abort(status.message());
        return status;
      }
    }
    return answers_->Share(processes);
  }

  Status OpenAnswers(const ModelSession& session) {
    if (job_.output.empty()) return OkStatus();
    NEMO_ASSIGN_OR_RETURN(std::string key, KeyOf(job_, session, tasks_, encoding_));
    NEMO_RETURN_IF_ERROR(answers_->Open(std::move(key)));
    if (answers_->num_kept() > 0) {
      console_.Note(Format("{} samples are kept of an earlier run", answers_->num_kept()));
    }
    return OkStatus();
  }

  Status RunRank(const ModelSession& session, EvalPlan& plan, const Replica& replica) {
    if (plan.num_samples() == 0) return OkStatus();
    EngineOptions options;
    options.max_sequences =
        std::min(job_.machine.max_batch_size, static_cast<int64_t>(plan.calls().size()));
    options.max_sequence_tokens = plan.max_sequence_tokens();
    NEMO_ASSIGN_OR_RETURN(const LoadedModel model,
                          LoadModel(session, *replica.world, options, console_, replica.index));
    if (replica.world->rank() == 0) NEMO_RETURN_IF_ERROR(answers_->Begin(replica.index));
    const bool first = speaks_ && replica.index == 0 && replica.world->rank() == 0;
    eval::RunnerCounts counts;
    const Status status = eval::RunPlan(
        plan, *model.engine, *session.tokenizer,
        {.prefill_chunk = job_.machine.prefill_chunk,
         .prefix_cache = job_.machine.prefix_cache == "on"},
        first ? console_.progress() : NullProgress(),
        [&](size_t task, size_t sample, Responses responses) {
          return answers_->Keep(replica.index, task, sample, std::move(responses));
        },
        &counts);
    if (first) Tell(session, model, counts, status);
    return status;
  }

  void Tell(const ModelSession& session, const LoadedModel& model, const eval::RunnerCounts& counts,
            const Status& status) const {
    if (!status.ok() && !job_.output.empty()) {
      console_.Note(
          Format("{}: what was answered is kept; --resume goes on from there", job_.output));
    }
    const std::string whose =
        session.num_replicas == 1 ? "" : Format("the first of {} replicas: ", session.num_replicas);
    console_.Detail(
        Format("{}{} prompt tokens, {} of them known already; {} generated; loading took {:.2f} s, "
               "answering {:.2f} s, {:.1f} tokens/s; {}, {}",
               whose, counts.prompt_tokens, counts.reused_tokens, counts.generated_tokens,
               model.load_seconds, counts.seconds, counts.tokens_per_second(),
               ToString(session.layout), model.BackendName()));
  }

  Result<int64_t> RunPrograms(std::span<const std::string> programs) const {
    std::atomic<int64_t> num_passed = 0;
    NEMO_RETURN_IF_ERROR(
        ParallelFor(console_.threads(), std::ssize(programs), [&](int64_t i) -> Status {
          NEMO_ASSIGN_OR_RETURN(const Verdict verdict, sandbox_->Run(programs[i]));
          num_passed += verdict.passed ? 1 : 0;
          return OkStatus();
        }));
    return num_passed.load();
  }

  Status Report(const ModelSession& session) {
    eval::EvalReport report;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      NEMO_ASSIGN_OR_RETURN(
          eval::TaskReport task,
          eval::JudgeTask(std::move(tasks_[i]), answers_->Take(i),
                          [this](std::span<const std::string> p) { return RunPrograms(p); }));
      report.tasks.push_back(std::move(task));
    }
    report.groups = eval::JudgeGroups(catalog_, selection_, report.tasks);
    report.run = RunValue(session);
    NEMO_RETURN_IF_ERROR(WriteFiles(job_, report));
    if (console_.json()) {
      console_.PrintJson(eval::ResultsValue(report));
      return OkStatus();
    }
    std::vector<eval::PublishedModel> published;
    for (const auto& [name, yaml] : BuiltinPublished()) {
      NEMO_ASSIGN_OR_RETURN(eval::PublishedModel model, eval::ParsePublished(yaml));
      published.push_back(std::move(model));
    }
    console_.Print(ReportText(report, published));
    return OkStatus();
  }

  /// Only what the scores depend on: a run that was stopped leaves the same files.
  Value RunValue(const ModelSession& session) const {
    Value config, value;
    config.Set("model", "nemo-eval");
    config.Set("model_args", Format("pretrained={}", job_.source));
    config.Set("dtype_profile", session.machine.dtype_profile);
    config.Set("limit", job_.limit < 0 ? Value() : Value(job_.limit));
    config.Set("fewshot_seed", 1234);
    if (sandbox_) config.Set("sandbox", sandbox_->description());
    value.Set("config", std::move(config));
    value.Set("max_length", encoding_.max_length);
    value.Set("add_bos_token", encoding_.add_bos);
    value.Set("model_source", "nemo-eval");
    value.Set("model_name", job_.source);
    return value;
  }

  const EvalJob& job_;
  const eval::Catalog& catalog_;
  const eval::Selection& selection_;
  const Console& console_;
  bool speaks_ = false;
  std::optional<Sandbox> sandbox_;
  eval::EncodingOptions encoding_;
  std::vector<PlannedTask> tasks_;
  std::optional<Answers> answers_;
};

}  // namespace

Status RunJob(const EvalJob& job, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckJob(job));
  NEMO_ASSIGN_OR_RETURN(const eval::Catalog catalog, ReadCatalog(job));
  if (job.list) {
    PrintList(catalog, console);
    return OkStatus();
  }
  NEMO_ASSIGN_OR_RETURN(eval::Selection selection, SelectTasks(job, catalog));
  const AdaptedTasks adapted = AdaptTasks(job, selection);
  EvalRun run(job, catalog, selection, console);
  return RunInWorld(
      job.source, job.machine, console,
      [&](ModelSession& session, Communicator& processes, const RunAllRanks& run_ranks) {
        return run.All(session, processes, run_ranks);
      });
}

}  // namespace nemo
