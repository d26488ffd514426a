// Which of the given continuations does the model find likeliest? Rules: multiple_choice of
// lm-evaluation-harness 0.4.13 (api/task.py, process_results).
#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/eval/registry.h"
#include "libcore/text/tokenizer.h"

namespace nemo::eval {
namespace {

Status Check(const TaskSpec& task) {
  if (task.choices.empty() || task.gold.empty() || task.gold_among.empty()) {
    return InvalidArgument("multiple_choice needs `choices`, `gold` and `gold_among`");
  }
  if (task.contexts.empty() == task.question.empty()) {
    return InvalidArgument("multiple_choice needs `question`, or else `contexts`");
  }
  for (const MetricSpec& metric : task.metrics) {
    if (metric.name != "acc" && metric.name != "acc_norm") {
      return InvalidArgument(Format("multiple_choice has acc and acc_norm, not {}", metric.name));
    }
  }
  return OkStatus();
}

Result<int64_t> Gold(const TaskSpec& task, const Value& scope) {
  NEMO_ASSIGN_OR_RETURN(const std::string gold, task.gold.Render(scope));
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> among, RenderList(task.gold_among, scope));
  const auto found = std::find(among.begin(), among.end(), gold);
  if (found == among.end()) {
    return Corruption(Format("the right answer '{}' is none of {}", gold, FormatList(among)));
  }
  return found - among.begin();
}

Result<std::string> Shot(const TaskSpec& task, const Value& scope) {
  NEMO_ASSIGN_OR_RETURN(const int64_t gold, Gold(task, scope));
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> choices, RenderList(task.choices, scope));
  NEMO_ASSIGN_OR_RETURN(std::vector<std::string> contexts, RenderList(task.contexts, scope));
  if (contexts.empty()) {
    NEMO_ASSIGN_OR_RETURN(std::string question, task.question.Render(scope));
    contexts.assign(choices.size(), std::move(question));
  }
  if (gold >= std::ssize(choices) || gold >= std::ssize(contexts)) {
    return Corruption(Format("the right answer is number {}, of {} choices", gold, choices.size()));
  }
  return contexts[gold] + task.target_delimiter + choices[gold];
}

Status Ask(const TaskSpec& task, const std::string& head, Sample& sample) {
  NEMO_ASSIGN_OR_RETURN(const int64_t gold, Gold(task, sample.scope));
  NEMO_ASSIGN_OR_RETURN(sample.choices, RenderList(task.choices, sample.scope));
  NEMO_ASSIGN_OR_RETURN(sample.contexts, RenderList(task.contexts, sample.scope));
  const bool one_context = sample.contexts.empty();
  if (one_context) {
    NEMO_ASSIGN_OR_RETURN(std::string question, task.question.Render(sample.scope));
    sample.contexts.push_back(std::move(question));
  }
  if (gold >= std::ssize(sample.choices) ||
      (!one_context && sample.contexts.size() != sample.choices.size())) {
    return Corruption(Format("{} choices, {} contexts, and the right answer is number {}",
                             sample.choices.size(), sample.contexts.size(), gold));
  }
  for (std::string& context : sample.contexts) context = head + context;
  for (size_t i = 0; i < sample.choices.size(); ++i) {
    sample.requests.push_back(
        {RequestKind::kScore, one_context ? 0 : i, task.target_delimiter + sample.choices[i]});
  }
  sample.gold = gold;
  // One question for all: the harness tells the choice's number; else the text that is scored.
  sample.target = one_context ? Value(gold) : Value(sample.choices[gold]);
  return OkStatus();
}

/// The first of the largest.
template <typename Score>
int64_t Best(size_t count, const Score& score) {
  size_t best = 0;
  for (size_t i = 1; i < count; ++i) {
    if (score(i) > score(best)) best = i;
  }
  return static_cast<int64_t>(best);
}

Result<std::vector<Verdict>> Judge(const TaskSpec& task, const Sample& sample,
                                   std::span<const EvalResponse> responses, const ProgramRunner&) {
  const int64_t gold = sample.gold;
  const auto sum = [&](size_t i) { return responses[i].logprob; };
  const auto per_character = [&](size_t i) {
    return responses[i].logprob / static_cast<double>(CountCharacters(sample.choices[i]));
  };
  Verdict verdict{"none", Value(Value::Array{}), {}};
  for (const EvalResponse& response : responses) {
    verdict.filtered.as_array().push_back(
        Value(Value::Array{response.logprob, response.is_greedy}));
  }
  for (const MetricSpec& metric : task.metrics) {
    const int64_t best =
        metric.name == "acc" ? Best(responses.size(), sum) : Best(responses.size(), per_character);
    verdict.metrics.push_back({metric.name, best == gold ? 1.0 : 0.0});
  }
  return std::vector<Verdict>{std::move(verdict)};
}

}  // namespace

const KindRow kMultipleChoice = {
    "multiple_choice", "the likeliest of given continuations", Check, Shot, Ask, Judge};

}  // namespace nemo::eval
