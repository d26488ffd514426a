#include "tools/nemo-eval/job.h"

#include <algorithm>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/common/suggest.h"
#include "tools/nemo-eval/builtin_tasks.h"

namespace nemo {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 24;
constexpr int64_t kMaxSamples = 1000;
constexpr double kMaxTemperature = 100;
constexpr int64_t kMaxTaskFileBytes = int64_t{1} << 20;

/// Adds the parts of a list with commas.
FlagSetter AppendNames(std::vector<std::string>* out) {
  return [out](const std::string& text) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      if (end == begin) return InvalidArgument("names with commas between were expected");
      out->push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return OkStatus();
  };
}

FlagGroup TaskFlags(EvalJob* job) {
  return {
      "Tasks",
      {
          {.name = "tasks",
           .value = "NAME,NAME...",
           .help = "tasks and groups; NAME@5 with 5 examples, whatever --num-fewshot says",
           .repeatable = true,
           .set = AppendNames(&job->tasks)},
          {.name = "list",
           .help = "print every task and group, and stop",
           .set = SetSwitch(&job->list)},
          {.name = "task-file",
           .value = "FILE.yaml",
           .help = "more tasks, as docs/eval.md describes them; may be repeated",
           .repeatable = true,
           .set = AppendText(&job->task_files)},
          {.name = "data",
           .value = "DIR",
           .help = "the data sets in the files that their authors publish, .gz or .zst or plain",
           .set = SetText(&job->data)},
          {.name = "num-fewshot",
           .value = "N",
           .help = "examples in front of each question (default: the task's own)",
           .set = SetInt(&job->num_fewshot, 0, 1000)},
          {.name = "fewshot-data",
           .value = "TASK=FILE[:BEGIN-END]",
           .help = "draw the task's examples from these rows of another file; may be repeated",
           .repeatable = true,
           .set = AppendText(&job->fewshot_data)},
          {.name = "limit",
           .value = "N",
           .help = "only the first N rows of each task; such scores are for trying things out",
           .set = SetInt(&job->limit, 1)},
      }};
}

FlagGroup ProgramFlags(EvalJob* job) {
  return {
      "Programs (HumanEval, and other tasks of kind code)",
      {
          {.name = "allow-code-execution",
           .help = "run the programs that the model writes, in a sandbox",
           .set = SetSwitch(&job->allow_code_execution)},
          {.name = "num-samples",
           .value = "N",
           .help = "programs for each problem (default 1); 10 and more give pass@10, 100 pass@100",
           .set = SetInt(&job->num_samples, 1, kMaxSamples)},
          {.name = "temperature",
           .value = "T",
           .help = "draw them; 0 (default for one program) is the likeliest token each time "
                   "(default for several: 0.8)",
           .set = SetDouble(&job->temperature, 0, kMaxTemperature)},
          {.name = "top-p",
           .value = "P",
           .help = "draw among the likeliest tokens that hold P of the probability (default 0.95)",
           .set = SetDouble(&job->top_p, 0, 1)},
          {.name = "seed",
           .value = "N",
           .help = "equal seeds give equal programs, on every layout (default 1234)",
           .set = SetInt(&job->seed, 0)},
      }};
}

FlagGroup ModelFlags(EvalJob* job) {
  return {"Model",
          {
              {.name = "max-length",
               .value = "N",
               .help = "tokens that the model sees at once; longer questions lose their beginning "
                       "(default: its context)",
               .set = SetInt(&job->max_length, 2, kMaxTokens)},
              {.name = "max-gen-tokens",
               .value = "N",
               .help = "at most this many new tokens (default: the task's own)",
               .set = SetInt(&job->max_gen_tokens, 1, kMaxTokens)},
              {.name = "add-bos",
               .aliases = {"add-bos-token"},
               .help = "put the begin-of-text token in front",
               .set = SetSwitch(&job->add_bos)},
          }};
}

FlagGroup AnswerFlags(EvalJob* job) {
  return {
      "Answer",
      {
          {.name = "output",
           .value = "DIR",
           .help =
               "write results.json and samples_TASK.jsonl there, in lm-evaluation-harness' key "
               "names, and report.html, a page of both; keep each answer as soon as it is there",
           .set = SetText(&job->output)},
          {.name = "resume",
           .help = "go on with --output where a stopped run of the same model, tasks and options "
                   "ended",
           .set = SetSwitch(&job->resume)},
          {.name = "force",
           .help = "begin anew, though there are answers at --output",
           .set = SetSwitch(&job->force)},
      }};
}

/// The rows "BEGIN-END", "BEGIN-"; END is not among them.
Status ReadRange(std::string_view text, eval::DataSpec& data) {
  const size_t dash = text.find('-');
  if (dash == text.npos) return InvalidArgument("rows are BEGIN-END or BEGIN-");
  NEMO_ASSIGN_OR_RETURN(data.rows_begin, ParseInt(text.substr(0, dash), 0, kMaxTokens));
  if (dash + 1 == text.size()) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(data.rows_end,
                        ParseInt(text.substr(dash + 1), data.rows_begin, kMaxTokens));
  return OkStatus();
}

Result<eval::DataSpec> ParseFewshotData(std::string_view text, const eval::TaskSpec& task) {
  eval::DataSpec data = task.fewshot.data.empty() ? task.data : task.fewshot.data;
  data.rows_begin = 0;
  data.rows_end = -1;
  const size_t colon = text.rfind(':');
  data.files = {std::string(text.substr(0, colon))};
  if (colon == text.npos) return data;
  if (Status status = ReadRange(text.substr(colon + 1), data); !status.ok()) {
    return status.At(Format("--fewshot-data {}={}", task.name, text));
  }
  return data;
}

std::vector<std::string> NamesOf(const eval::Catalog& catalog) {
  std::vector<std::string> names;
  for (const eval::GroupSpec& group : catalog.groups()) names.push_back(group.name);
  for (const eval::TaskSpec& task : catalog.tasks()) names.push_back(task.name);
  return names;
}

Status CheckNames(const EvalJob& job, const eval::Catalog& catalog) {
  for (const std::string& text : job.tasks) {
    const std::string name = text.substr(0, text.find('@'));
    if (catalog.FindTask(name) != nullptr || catalog.FindGroup(name) != nullptr) continue;
    return InvalidArgument(Format("--tasks: there is no task or group '{}'{}; --list shows all",
                                  name, DidYouMean(name, NamesOf(catalog))));
  }
  return OkStatus();
}

}  // namespace

std::vector<FlagGroup> EvalFlags(EvalJob* job) {
  job->machine.max_batch_size = 32;
  return {TaskFlags(job), ProgramFlags(job), ModelFlags(job), AnswerFlags(job),
          ReplicatedMachineFlags(&job->machine)};
}

Status CheckJob(const EvalJob& job) {
  if (job.list) return OkStatus();
  if (job.source.empty()) return InvalidArgument("SRC is needed: the model to evaluate");
  if (job.tasks.empty()) return InvalidArgument("--tasks is needed; --list shows what there is");
  if (job.data.empty()) {
    return InvalidArgument("--data DIR is needed: the folder of the data sets (docs/eval.md)");
  }
  if (job.output.empty() && (job.resume || job.force)) {
    return InvalidArgument(Format("--{} is about a folder of answers: give --output DIR",
                                  job.resume ? "resume" : "force"));
  }
  if (job.resume && job.force) {
    return InvalidArgument(
        "--resume and --force exclude one another: one goes on with what is there, the other "
        "begins anew");
  }
  if (job.num_samples > 1 && job.temperature == 0) {
    return InvalidArgument(
        "--num-samples and --temperature 0 exclude one another: all programs would be the same");
  }
  return OkStatus();
}

Result<eval::Catalog> ReadCatalog(const EvalJob& job) {
  std::vector<std::pair<std::string, std::string>> suites = BuiltinSuites();
  for (const std::string& file : job.task_files) {
    NEMO_ASSIGN_OR_RETURN(std::string text, ReadAllFrom(file, kMaxTaskFileBytes));
    suites.emplace_back(file, std::move(text));
  }
  return eval::Catalog::Read(suites);
}

Result<eval::Selection> SelectTasks(const EvalJob& job, const eval::Catalog& catalog) {
  NEMO_RETURN_IF_ERROR(CheckNames(job, catalog));
  NEMO_ASSIGN_OR_RETURN(eval::Selection selection, catalog.Select(job.tasks, job.num_fewshot));
  for (const eval::Selection::Choice& choice : selection.tasks) {
    if (choice.task->kind == "code" && !job.allow_code_execution) {
      return InvalidArgument(
          Format("task {} runs programs that the model writes: give "
                 "--allow-code-execution if that is meant",
                 choice.task->name));
    }
  }
  const bool has_programs = std::ranges::any_of(
      selection.tasks, [](const auto& choice) { return choice.task->kind == "code"; });
  if (!has_programs && (job.num_samples > 1 || job.temperature > 0)) {
    return InvalidArgument(Format("--{} is about programs, and no task of --tasks has any",
                                  job.num_samples > 1 ? "num-samples" : "temperature"));
  }
  return selection;
}

Result<eval::TaskOptions> OptionsOf(const EvalJob& job, const eval::Selection::Choice& choice) {
  eval::TaskOptions options;
  options.num_fewshot = choice.num_fewshot;
  options.limit = job.limit;
  for (const std::string& text : job.fewshot_data) {
    const size_t equals = text.find('=');
    if (equals == text.npos) {
      return InvalidArgument(Format("--fewshot-data {}: TASK=FILE was expected", text));
    }
    if (text.substr(0, equals) != choice.task->name) continue;
    NEMO_ASSIGN_OR_RETURN(
        eval::DataSpec data,
        ParseFewshotData(std::string_view(text).substr(equals + 1), *choice.task));
    options.fewshot_source = {std::move(data)};
  }
  return options;
}

}  // namespace nemo
