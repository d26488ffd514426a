// Do the programs that the model completes pass their test? Rules: humaneval of
// lm-evaluation-harness 0.4.13, and pass@k of several completions as Chen et al. 2021 estimate it.
#include <charconv>

#include "libcore/base/format.h"
#include "libcore/eval/pass_at_k.h"
#include "libcore/eval/registry.h"

namespace nemo::eval {
namespace {

/// The k of "pass@k"; 0: another metric.
int64_t KOf(std::string_view metric) {
  constexpr std::string_view kPrefix = "pass@";
  int64_t k = 0;
  if (!metric.starts_with(kPrefix)) return 0;
  metric.remove_prefix(kPrefix.size());
  std::from_chars(metric.data(), metric.data() + metric.size(), k);
  return k;
}

Status Check(const TaskSpec& task) {
  if (task.question.empty() || task.program.empty()) {
    return InvalidArgument("code needs `question` and `program`");
  }
  for (const MetricSpec& metric : task.metrics) {
    if (KOf(metric.name) < 1) {
      return InvalidArgument(Format("code has pass@1, pass@10 and pass@100, not {}", metric.name));
    }
  }
  if (KOf(task.metrics[0].name) != 1) {
    return InvalidArgument("the first metric of code is pass@1, which any number of programs has");
  }
  return OkStatus();
}

Result<std::string> Shot(const TaskSpec& task, const Value& scope) {
  return kGenerateUntil.shot(task, scope);
}

Status Ask(const TaskSpec& task, const std::string& head, Sample& sample) {
  NEMO_RETURN_IF_ERROR(kGenerateUntil.ask(task, head, sample));
  while (std::ssize(sample.requests) < task.draws.num_samples) {
    sample.requests.push_back(sample.requests.back());
    ++sample.requests.back().draw;
  }
  return OkStatus();
}

Result<std::vector<Verdict>> Judge(const TaskSpec& task, const Sample& sample,
                                   std::span<const EvalResponse> responses,
                                   const ProgramRunner& run) {
  std::vector<Verdict> verdicts;
  for (const Filter& filter : task.filters) {
    std::vector<std::string> programs;
    for (const EvalResponse& response : responses) {
      NEMO_ASSIGN_OR_RETURN(std::string completion, filter.Apply(response.text, sample.doc));
      Value scope = sample.scope;
      scope.Set("completion", std::move(completion));
      NEMO_ASSIGN_OR_RETURN(std::string program, task.program.Render(scope));
      programs.push_back(std::move(program));
    }
    NEMO_ASSIGN_OR_RETURN(const int64_t num_passed, run(programs));
    Verdict verdict{filter.name(), Value::ArrayOf(programs), {}};
    for (const MetricSpec& metric : task.metrics) {
      const int64_t k = KOf(metric.name);
      // Of fewer programs it cannot be told.
      if (k > std::ssize(programs)) continue;
      verdict.metrics.push_back({metric.name, PassAtK(std::ssize(programs), num_passed, k)});
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace

const KindRow kCode = {"code", "whether completed programs pass their test", Check, Shot, Ask,
                       Judge};

}  // namespace nemo::eval
