#include "tools/nemo-eval/output.h"

#include <map>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/eval/lm_eval_files.h"
#include "tools/common/table.h"
#include "tools/nemo-eval/builtin_tasks.h"
#include "tools/nemo-eval/report/page.h"

namespace nemo {
namespace {

using eval::EvalReport;
using eval::MetricReport;
using eval::PublishedModel;
using eval::PublishedScore;

/// Perplexities stand as they are; the rest are shares.
bool IsShare(const MetricReport& metric) { return metric.higher_is_better; }

std::string ValueText(const MetricReport& metric) {
  return IsShare(metric) ? Format("{:.2f} %", metric.score.value * 100)
                         : Format("{:.4f}", metric.score.value);
}

std::string ErrorText(const MetricReport& metric) {
  if (!metric.score.stderr_) return "";
  return Format("{:.2f}", *metric.score.stderr_ * 100);
}

/// "90.53 (Nemotron-4-340B-Base)", every model that has published one.
std::string PublishedText(std::span<const PublishedModel> published, const std::string& name,
                          const MetricReport& metric) {
  std::string text;
  for (const PublishedModel& model : published) {
    const PublishedScore* score = model.Find(name, metric.Key());
    if (score == nullptr) continue;
    if (!text.empty()) text += "; ";
    text += Format("{:.2f} {}", score->value * 100, model.name);
    if (!score->note.empty()) text += Format(" ({})", score->note);
  }
  return text;
}

void AddRows(Table& table, const std::string& name, const std::string& shots, int64_t num_samples,
             std::span<const MetricReport> metrics, std::span<const PublishedModel> published) {
  for (const MetricReport& metric : metrics) {
    table.AddRow({name, shots, std::to_string(num_samples), metric.metric,
                  metric.filter == "none" ? "" : metric.filter, ValueText(metric),
                  ErrorText(metric), PublishedText(published, name, metric)});
  }
}

Table ScoreTable() {
  using enum Table::Align;
  return Table({{"task", kLeft},
                {"shots", kRight},
                {"samples", kRight},
                {"metric", kLeft},
                {"filter", kLeft},
                {"score", kRight},
                {"stderr", kRight},
                {"published", kLeft}});
}

/// Which form of each task ran; a group's tasks in one line.
std::string VariantsText(const EvalReport& report) {
  std::map<std::string, std::vector<std::string>> tasks;  // by variant
  for (const eval::TaskReport& task : report.tasks) {
    const std::string variant = task.task->variant.empty() ? task.task->kind : task.task->variant;
    tasks[variant].push_back(task.task->name);
  }
  std::string text = "\nVariants, whose scores do not compare with those of others:\n";
  for (const auto& [variant, names] : tasks) {
    const std::string rest = names.size() > 1 ? Format(" and {} more", names.size() - 1) : "";
    text += Format("  {}{}: {}\n", names[0], rest, variant);
  }
  return text;
}

/// What others have published of the tasks in `results`, for the page.
Result<Value> PublishedValue(const Value& results) {
  Value::Array rows;
  for (const auto& [name, yaml] : BuiltinPublished()) {
    NEMO_ASSIGN_OR_RETURN(const PublishedModel model, eval::ParsePublished(yaml));
    for (const PublishedScore& score : model.scores) {
      for (const std::string& task : score.tasks) {
        if (results.Find("results")->Find(task) == nullptr) continue;
        Value row;
        row.Set("task", task);
        row.Set("metric", score.key);
        row.Set("value", score.value);
        row.Set("remark", Format("{}, {}{}{}", model.name, model.source,
                                 score.note.empty() ? "" : "; ", score.note));
        rows.push_back(std::move(row));
      }
    }
  }
  return Value(std::move(rows));
}

std::string LimitText(const EvalReport& report) {
  for (const eval::TaskReport& task : report.tasks) {
    if (std::ssize(task.samples) < task.num_rows) {
      return "\nOnly a part of the rows was asked about: these are no scores to quote.\n";
    }
  }
  return "";
}

}  // namespace

Status WriteFiles(const EvalJob& job, const EvalReport& report) {
  if (job.output.empty()) return OkStatus();
  for (const eval::TaskReport& task : report.tasks) {
    const std::string name = Format("samples_{}.jsonl", task.task->name);
    NEMO_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(job.output, name), eval::SampleLines(task)));
  }
  Value results = eval::ResultsValue(report);
  NEMO_ASSIGN_OR_RETURN(Value published, PublishedValue(results));
  results.Set("published", std::move(published));
  NEMO_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(job.output, "results.json"), ToJson(results, 2) + "\n"));
  return WriteEvalPage(job.output);
}

std::string ReportText(const EvalReport& report, std::span<const PublishedModel> published) {
  Table table = ScoreTable();
  for (const eval::GroupReport& group : report.groups) {
    AddRows(table, group.group->name, "", group.num_samples, group.metrics, published);
  }
  for (const eval::TaskReport& task : report.tasks) {
    AddRows(table, task.task->name, std::to_string(task.num_fewshot), std::ssize(task.samples),
            task.metrics, published);
  }
  return table.ToText(TableWidth()) + VariantsText(report) + LimitText(report);
}

std::string ListText(const eval::Catalog& catalog) {
  Table groups({{"group"}, {"tasks", Table::Align::kRight}});
  for (const eval::GroupSpec& group : catalog.groups()) {
    groups.AddRow({group.name, std::to_string(catalog.TasksOf(group).size())});
  }
  Table tasks({{"task"}, {"shots", Table::Align::kRight}, {"kind"}, {"variant"}});
  for (const eval::TaskSpec& task : catalog.tasks()) {
    tasks.AddRow({task.name, std::to_string(task.num_fewshot), task.kind, task.variant});
  }
  return groups.ToText(TableWidth()) + "\n" + tasks.ToText(TableWidth());
}

Value ListValue(const eval::Catalog& catalog) {
  Value::Array tasks, groups;
  for (const eval::TaskSpec& task : catalog.tasks()) {
    Value row;
    row.Set("name", task.name);
    row.Set("kind", task.kind);
    row.Set("num_fewshot", task.num_fewshot);
    row.Set("variant", task.variant);
    tasks.push_back(std::move(row));
  }
  for (const eval::GroupSpec& group : catalog.groups()) {
    Value row;
    Value::Array members;
    for (const eval::TaskSpec* task : catalog.TasksOf(group)) members.emplace_back(task->name);
    row.Set("name", group.name);
    row.Set("tasks", Value(std::move(members)));
    groups.push_back(std::move(row));
  }
  Value value;
  value.Set("groups", Value(std::move(groups)));
  value.Set("tasks", Value(std::move(tasks)));
  return value;
}

}  // namespace nemo
