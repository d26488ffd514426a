#include "libcore/eval/report.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

/// The values of one metric behind one filter, sample by sample.
struct Column {
  std::string metric, filter;
  std::vector<WeightedValue> values;
};

void Collect(const std::vector<Verdict>& verdicts, std::vector<Column>& columns) {
  for (const Verdict& verdict : verdicts) {
    for (const MetricValue& value : verdict.metrics) {
      auto column = std::find_if(columns.begin(), columns.end(), [&](const Column& c) {
        return c.metric == value.name && c.filter == verdict.filter;
      });
      if (column == columns.end()) {
        column = columns.insert(column, {value.name, verdict.filter, {}});
      }
      column->values.push_back({value.value, value.weight});
    }
  }
}

Result<std::vector<MetricReport>> ScoresOf(const std::vector<Column>& columns) {
  std::vector<MetricReport> reports;
  for (const Column& column : columns) {
    NEMO_ASSIGN_OR_RETURN(const MetricRow* row, FindMetric(column.metric));
    reports.push_back(
        {column.metric, column.filter, row->aggregate(column.values), row->higher_is_better});
  }
  return reports;
}

const TaskReport* ReportOf(std::span<const TaskReport> reports, const TaskSpec* task) {
  const auto report = std::find_if(reports.begin(), reports.end(),
                                   [&](const TaskReport& r) { return r.task->name == task->name; });
  return report == reports.end() ? nullptr : &*report;
}

/// A group's score is one only if all its tasks have it.
void AddMetric(const std::string& key, std::span<const TaskReport* const> tasks,
               GroupReport& group) {
  std::vector<Score> scores;
  MetricReport pooled;
  for (const TaskReport* task : tasks) {
    for (const MetricReport& metric : task->metrics) {
      if (metric.Key() != key) continue;
      scores.push_back(metric.score);
      pooled = metric;
    }
  }
  if (scores.empty() || scores.size() != tasks.size()) return;
  pooled.score = Pool(scores);
  group.metrics.push_back(std::move(pooled));
}

}  // namespace

Result<TaskReport> JudgeTask(PlannedTask planned, std::vector<Responses> responses,
                             const ProgramRunner& run) {
  NEMO_CHECK(planned.samples.size() == responses.size());
  TaskReport report;
  report.task = planned.task;
  report.num_fewshot = planned.num_fewshot;
  report.num_rows = planned.num_rows;
  NEMO_ASSIGN_OR_RETURN(const KindRow* kind, FindKind(planned.task->kind));
  std::vector<Column> columns;
  for (size_t i = 0; i < planned.samples.size(); ++i) {
    SampleReport sample{std::move(planned.samples[i]), std::move(responses[i]), {}};
    auto verdicts = kind->judge(*planned.task, sample.sample, sample.responses, run);
    if (!verdicts) {
      return verdicts.error().At(
          Format("task {}: row {}", planned.task->name, sample.sample.doc_index));
    }
    sample.verdicts = std::move(*verdicts);
    Collect(sample.verdicts, columns);
    report.samples.push_back(std::move(sample));
  }
  NEMO_ASSIGN_OR_RETURN(report.metrics, ScoresOf(columns));
  return report;
}

std::vector<GroupReport> JudgeGroups(const Catalog& catalog, const Selection& selection,
                                     std::span<const TaskReport> tasks) {
  std::vector<GroupReport> groups;
  for (const GroupSpec* spec : selection.groups) {
    GroupReport group;
    group.group = spec;
    std::vector<const TaskReport*> members;
    for (const TaskSpec* task : catalog.TasksOf(*spec)) {
      if (const TaskReport* report = ReportOf(tasks, task)) {
        members.push_back(report);
        group.tasks.push_back(task->name);
        group.num_samples += std::ssize(report->samples);
      }
    }
    for (const std::string& key : spec->metrics) AddMetric(key, members, group);
    if (!group.metrics.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace nemo::eval
