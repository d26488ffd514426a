// Does the program that the model completes pass its test? Rules: humaneval of
// lm-evaluation-harness 0.4.13, with one completion a problem (pass@1).
#include "libcore/base/format.h"
#include "libcore/eval/registry.h"

namespace nemo::eval {
namespace {

Status Check(const TaskSpec& task) {
  if (task.question.empty() || task.program.empty()) {
    return InvalidArgument("code needs `question` and `program`");
  }
  for (const MetricSpec& metric : task.metrics) {
    if (metric.name != "pass@1") {
      return InvalidArgument(Format("code has pass@1, not {}", metric.name));
    }
  }
  return OkStatus();
}

Result<std::string> Shot(const TaskSpec& task, const Value& scope) {
  return kGenerateUntil.shot(task, scope);
}

Status Ask(const TaskSpec& task, const std::string& head, Sample& sample) {
  return kGenerateUntil.ask(task, head, sample);
}

Result<std::vector<Verdict>> Judge(const TaskSpec& task, const Sample& sample,
                                   std::span<const EvalResponse> responses,
                                   const ProgramRunner& run) {
  std::vector<Verdict> verdicts;
  for (const Filter& filter : task.filters) {
    NEMO_ASSIGN_OR_RETURN(std::string completion, filter.Apply(responses[0].text, sample.doc));
    Value scope = sample.scope;
    scope.Set("completion", std::move(completion));
    NEMO_ASSIGN_OR_RETURN(const std::string program, task.program.Render(scope));
    NEMO_ASSIGN_OR_RETURN(const bool passed, run(program));
    verdicts.push_back({filter.name(), Value(program), {{"pass@1", passed ? 1.0 : 0.0}}});
  }
  return verdicts;
}

}  // namespace

const KindRow kCode = {"code", "whether a completed program passes its test", Check, Shot, Ask,
                       Judge};

}  // namespace nemo::eval
