// What does the model write, up to a stop string, and is the answer in it the right one? Rules:
// generate_until with exact_match of lm-evaluation-harness 0.4.13 (api/metrics.py).
#include "libcore/base/format.h"
#include "libcore/eval/python_text.h"
#include "libcore/eval/registry.h"

namespace nemo::eval {
namespace {

Status Check(const TaskSpec& task) {
  if (task.question.empty() || task.target.empty()) {
    return InvalidArgument("generate_until needs `question` and `target`");
  }
  for (const MetricSpec& metric : task.metrics) {
    if (metric.name != "exact_match") {
      return InvalidArgument(Format("generate_until has exact_match, not {}", metric.name));
    }
  }
  return OkStatus();
}

Result<std::string> Shot(const TaskSpec& task, const Value& scope) {
  const Template& question = task.fewshot.question ? *task.fewshot.question : task.question;
  const Template& answer = task.fewshot.answer ? *task.fewshot.answer : task.target;
  NEMO_ASSIGN_OR_RETURN(const std::string asked, question.Render(scope));
  NEMO_ASSIGN_OR_RETURN(const std::string answered, answer.Render(scope));
  return asked + task.target_delimiter + answered;
}

Status Ask(const TaskSpec& task, const std::string& head, Sample& sample) {
  NEMO_ASSIGN_OR_RETURN(const std::string question, task.question.Render(sample.scope));
  NEMO_ASSIGN_OR_RETURN(std::string target, task.target.Render(sample.scope));
  sample.contexts = {head + question};
  sample.requests = {{RequestKind::kGenerate, 0, ""}};
  sample.target = Value(std::move(target));
  return OkStatus();
}

Result<std::string> Normal(const MetricSpec& metric, std::string text) {
  for (const Regex& regex : metric.ignore) {
    NEMO_ASSIGN_OR_RETURN(text, regex.Remove(text));
  }
  if (metric.ignore_case) text = Lower(text);
  if (metric.ignore_punctuation) text = DeleteAsciiPunctuation(text);
  return text;
}

// numpy, which the harness compares with, drops U+0000 at the end of a text.
std::string_view AsNumpyText(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  return text;
}

Result<double> ExactMatch(const MetricSpec& metric, const std::string& answer,
                          const std::string& target) {
  NEMO_ASSIGN_OR_RETURN(const std::string given, Normal(metric, answer));
  NEMO_ASSIGN_OR_RETURN(const std::string right, Normal(metric, target));
  return AsNumpyText(given) == AsNumpyText(right) ? 1.0 : 0.0;
}

Result<std::vector<Verdict>> Judge(const TaskSpec& task, const Sample& sample,
                                   std::span<const EvalResponse> responses, const ProgramRunner&) {
  std::vector<Verdict> verdicts;
  for (const Filter& filter : task.filters) {
    NEMO_ASSIGN_OR_RETURN(const std::string answer, filter.Apply(responses[0].text, sample.doc));
    Verdict verdict{filter.name(), Value(answer), {}};
    for (const MetricSpec& metric : task.metrics) {
      NEMO_ASSIGN_OR_RETURN(const double match,
                            ExactMatch(metric, answer, sample.target.as_string()));
      verdict.metrics.push_back({metric.name, match});
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

}  // namespace

const KindRow kGenerateUntil = {
    "generate_until", "the answer in a generated text", Check, Shot, Ask, Judge};

}  // namespace nemo::eval
