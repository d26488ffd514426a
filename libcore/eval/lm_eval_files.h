// results.json and samples_TASK.jsonl with the key names of lm-evaluation-harness 0.4.13, so that
// what reads its files reads ours.
#pragma once

#include <string>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/eval/report.h"

namespace nemo::eval {

/// "results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better",
/// "n-samples", and the run's own members beside them.
Value ResultsValue(const EvalReport& report);

/// One JSON object a line for every sample and filter: "doc_id", "doc", "target", "arguments",
/// "resps", "filtered_resps", "filter", "metrics", and each metric under its name.
std::string SampleLines(const TaskReport& task);

}  // namespace nemo::eval
