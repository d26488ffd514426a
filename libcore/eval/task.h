// TaskData: the rows of a task and the prompts made of them, examples and all.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/registry.h"
#include "libcore/eval/task_spec.h"

namespace nemo::eval {

/// How a run deviates from the task's YAML.
struct TaskOptions {
  int64_t num_fewshot = -1;              ///< -1: the task's own; ignored where that is fixed
  int64_t limit = -1;                    ///< only so many documents, from the first
  std::vector<int64_t> documents;        ///< only these; empty: all
  std::vector<DataSpec> fewshot_source;  ///< at most one: examples from elsewhere
};

/// Immutable once loaded. Refers to the task.
class TaskData {
 public:
  /// Reads the task's rows, and those of its examples when there are to be any. kInvalidArgument: a
  /// document out of range, more examples than rows; else as ReadRows.
  static Result<TaskData> Load(const TaskSpec& task, const FileReader& read,
                               const TaskOptions& options);

  const TaskSpec& task() const { return *task_; }
  int64_t num_fewshot() const { return num_fewshot_; }
  int64_t num_rows() const { return std::ssize(rows_); }  ///< of the split, asked about or not
  const std::vector<int64_t>& documents() const { return documents_; }

  /// Every document's sample, in order: examples are drawn for one after the other, from one random
  /// generator. kInvalidArgument, kCorruption: a row that does not fit the task, with its place.
  Result<std::vector<Sample>> Samples() const;

 private:
  std::vector<const Value*> Shots(class PythonRandom& random, const Value& document) const;
  Result<std::string> Head(class PythonRandom& random, const Value& document,
                           const Value& scope) const;

  const TaskSpec* task_ = nullptr;
  int64_t num_fewshot_ = 0;
  std::vector<Value> rows_, shot_rows_;
  std::vector<int64_t> documents_;
};

}  // namespace nemo::eval
