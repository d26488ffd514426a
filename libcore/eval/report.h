// EvalReport: what a run found out, as one value: scores of tasks and groups, and every sample. The
// files, tables and pages that people see are made of it and of nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/eval/catalog.h"
#include "libcore/eval/metric.h"
#include "libcore/eval/plan.h"

namespace nemo::eval {

struct MetricReport {
  std::string metric, filter;
  Score score;
  bool higher_is_better = true;
  /// "acc,none".
  std::string Key() const { return metric + "," + filter; }
};

struct SampleReport {
  Sample sample;  ///< its row, prompts and requests
  Responses responses;
  std::vector<Verdict> verdicts;
};

struct TaskReport {
  const TaskSpec* task = nullptr;
  int64_t num_fewshot = 0;
  int64_t num_rows = 0;  ///< of the split; samples are those that were asked about
  std::vector<MetricReport> metrics;
  std::vector<SampleReport> samples;
};

struct GroupReport {
  const GroupSpec* group = nullptr;
  std::vector<std::string> tasks;
  int64_t num_samples = 0;
  std::vector<MetricReport> metrics;
};

struct EvalReport {
  std::vector<TaskReport> tasks;
  std::vector<GroupReport> groups;  ///< that have a score
  Value run;                        ///< model, layout, options, speed: what to write beside it
};

/// Judges a task's samples; `responses` is parallel to them. kInvalidArgument, and errors of `run`:
/// with task and row.
Result<TaskReport> JudgeTask(PlannedTask planned, std::vector<Responses> responses,
                             const ProgramRunner& run);

/// Scores of the selection's groups, from those of its tasks.
std::vector<GroupReport> JudgeGroups(const Catalog& catalog, const Selection& selection,
                                     std::span<const TaskReport> tasks);

}  // namespace nemo::eval
