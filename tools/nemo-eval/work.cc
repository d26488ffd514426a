#include "tools/nemo-eval/work.h"

#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/eval/task.h"
#include "libcore/runtime/fingerprint.h"
#include "tools/nemo-eval/data_folder.h"

namespace nemo {
namespace {

using eval::PlannedTask;

void AddText(Hasher& hasher, std::string_view text) {
  const auto size = static_cast<int64_t>(text.size());
  hasher.Update(std::as_bytes(std::span(&size, 1)));
  hasher.Update(std::as_bytes(std::span(text)));
}

}  // namespace

AdaptedTasks AdaptTasks(const EvalJob& job, eval::Selection& selection) {
  AdaptedTasks adapted;
  for (eval::Selection::Choice& choice : selection.tasks) {
    adapted.push_back(std::make_unique<eval::TaskSpec>(*choice.task));
    eval::TaskSpec& task = *adapted.back();
    choice.task = &task;
    if (job.max_gen_tokens > 0) task.max_tokens = job.max_gen_tokens;
    if (task.kind != "code") continue;
    const double otherwise = job.num_samples > 1 ? kDrawTemperature : 0;
    const double temperature = job.temperature < 0 ? otherwise : job.temperature;
    task.draws = {job.num_samples, temperature, job.top_p, job.seed};
    if (temperature == 0) continue;
    task.variant = Format("{} samples a problem, temperature {}, top-p {}", job.num_samples,
                          temperature, job.top_p);
  }
  return adapted;
}

Result<std::vector<PlannedTask>> LoadTasks(const EvalJob& job, const eval::Selection& selection) {
  const eval::FileReader read = DataFolder(job.data);
  std::vector<PlannedTask> tasks;
  for (const eval::Selection::Choice& choice : selection.tasks) {
    NEMO_ASSIGN_OR_RETURN(const eval::TaskOptions options, OptionsOf(job, choice));
    const auto data = eval::TaskData::Load(*choice.task, read, options);
    if (!data) return data.error().At(Format("task {}", choice.task->name));
    NEMO_ASSIGN_OR_RETURN(std::vector<eval::Sample> samples, data->Samples());
    tasks.push_back({choice.task, data->num_fewshot(), data->num_rows(), std::move(samples)});
  }
  return tasks;
}

Result<std::string> KeyOf(const EvalJob& job, const ModelSession& session,
                          std::span<const PlannedTask> tasks,
                          const eval::EncodingOptions& encoding) {
  NEMO_ASSIGN_OR_RETURN(const std::string model,
                        Fingerprint(*session.checkpoint.source, session.checkpoint.config));
  NEMO_ASSIGN_OR_RETURN(const std::string arithmetic, ArithmeticOf(session));
  Hasher hasher;
  AddText(hasher, model);
  AddText(hasher, session.checkpoint.tokenizer_model);
  AddText(hasher, Format("{} {} {} {}", arithmetic, encoding.max_length, encoding.add_bos,
                         job.max_gen_tokens));
  for (const PlannedTask& task : tasks) {
    AddText(hasher, Format("{} {}", task.task->name, task.task->max_tokens));
    for (const std::string& stop : task.task->until) AddText(hasher, stop);
    if (const eval::DrawSpec& draws = task.task->draws; draws.temperature > 0) {
      AddText(hasher, Format("{} {} {}", draws.temperature, draws.top_p, draws.seed));
    }
    for (const eval::Sample& sample : task.samples) {
      AddText(hasher, std::to_string(sample.doc_index));
      for (const std::string& context : sample.contexts) AddText(hasher, context);
      for (const eval::EvalRequest& request : sample.requests) {
        AddText(hasher, request.continuation);
      }
    }
  }
  return hasher.HexDigest();
}

}  // namespace nemo
