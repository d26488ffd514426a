// How likely is a text, all of it? Rules: loglikelihood_rolling of lm-evaluation-harness 0.4.13.
#include "libcore/base/format.h"
#include "libcore/eval/python_text.h"
#include "libcore/eval/registry.h"

namespace nemo::eval {
namespace {

Status Check(const TaskSpec& task) {
  if (task.target.empty()) return InvalidArgument("perplexity needs `target`, the text");
  if (task.num_fewshot > 0) return InvalidArgument("perplexity has no examples");
  for (const MetricSpec& metric : task.metrics) {
    if (metric.name == "acc" || metric.name == "acc_norm" || metric.name == "exact_match" ||
        metric.name == "pass@1") {
      return InvalidArgument(
          Format("perplexity has word_perplexity, byte_perplexity and bits_per_byte, not {}",
                 metric.name));
    }
  }
  return OkStatus();
}

Result<std::string> Shot(const TaskSpec&, const Value&) {
  return InvalidArgument("perplexity has no examples: --num-fewshot 0");
}

Status Ask(const TaskSpec& task, const std::string&, Sample& sample) {
  NEMO_ASSIGN_OR_RETURN(std::string text, task.target.Render(sample.scope));
  sample.contexts = {""};
  sample.requests = {{RequestKind::kRolling, 0, text}};
  sample.target = Value(std::move(text));
  return OkStatus();
}

// As len(re.split(r"\s+", text)): the parts around runs of blanks, empty ones at the ends too.
int64_t CountWords(const std::string& text) {
  if (text.empty()) return 1;
  const std::string_view inside = Strip(text);
  if (inside.empty()) return 2;
  const int64_t ends = int64_t(inside.begin() != std::string_view(text).begin()) +
                       int64_t(inside.end() != std::string_view(text).end());
  return std::ssize(SplitBlanks(inside)) + ends;
}

Result<std::vector<Verdict>> Judge(const TaskSpec& task, const Sample& sample,
                                   std::span<const EvalResponse> responses, const ProgramRunner&) {
  const std::string& text = sample.target.as_string();
  Verdict verdict{"none", Value(responses[0].logprob), {}};
  for (const MetricSpec& metric : task.metrics) {
    const int64_t weight = metric.name == "word_perplexity" ? CountWords(text) : std::ssize(text);
    verdict.metrics.push_back({metric.name, responses[0].logprob, static_cast<double>(weight)});
  }
  return std::vector<Verdict>{std::move(verdict)};
}

}  // namespace

const KindRow kPerplexity = {"perplexity", "how likely a text is, word by word", Check, Shot, Ask,
                             Judge};

}  // namespace nemo::eval
