// The samples of a run as the page's browser wants them: short, and no more than a page can carry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/value.h"

namespace nemo {

/// The lines of samples_TASK.jsonl: of the first ones, as many as were read.
struct TaskSamples {
  std::string task;
  std::vector<Value> rows;
  int64_t num_rows = 0;  ///< of the whole file
};

/// A JSON list, one mapping a task: {task, total, rows: [{id, filter, score, context, cut, choices:
/// [{text, context, ll, greedy}], gold, target, response, answer}]}. Contexts lose their beginning
/// (`cut` characters of it), and tasks their last rows, to keep the whole within about `max_bytes`.
std::string BrowserData(const std::vector<TaskSamples>& samples, int64_t max_bytes);

}  // namespace nemo
