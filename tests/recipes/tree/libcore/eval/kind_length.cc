// Does the model's text have as many bytes as the right one?
#include "libcore/eval/registry.h"

namespace nemo::eval {
namespace {

Status Check(const TaskSpec& task) {
  return task.target.empty() ? InvalidArgument("length needs `target`") : OkStatus();
}

Result<std::string> Shot(const TaskSpec&, const Value&) {
  return InvalidArgument("length has no examples");
}

Status Ask(const TaskSpec& task, const std::string& head, Sample& sample) {
  NEMO_ASSIGN_OR_RETURN(std::string question, task.question.Render(sample.scope));
  NEMO_ASSIGN_OR_RETURN(std::string target, task.target.Render(sample.scope));
  sample.contexts = {head + question};
  sample.requests = {{RequestKind::kGenerate, 0, ""}};
  sample.target = Value(std::move(target));
  return OkStatus();
}

Result<std::vector<Verdict>> Judge(const TaskSpec&, const Sample& sample,
                                   std::span<const EvalResponse> responses, const ProgramRunner&) {
  const bool equal = responses[0].text.size() == sample.target.as_string().size();
  return std::vector<Verdict>{
      {"none", Value(responses[0].text), {{"exact_match", equal ? 1.0 : 0.0}}}};
}

}  // namespace

const KindRow kLength = {"length", "how long is the text", Check, Shot, Ask, Judge};

}  // namespace nemo::eval
