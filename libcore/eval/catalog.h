// Catalog: every task and group that there is, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/task_spec.h"

namespace nemo::eval {

/// What a run evaluates, in order. Points into the catalog.
struct Selection {
  struct Choice {
    const TaskSpec* task = nullptr;
    int64_t num_fewshot = -1;  ///< -1: the task's own
  };
  std::vector<Choice> tasks;
  std::vector<const GroupSpec*> groups;  ///< those asked for, and the groups in them
};

/// Immutable once read.
class Catalog {
 public:
  /// From the YAML texts of suites, each with the name that messages call it. kInvalidArgument,
  /// kCorruption as ParseSuite; a name that stands twice; a group with a member that does not
  /// exist.
  static Result<Catalog> Read(std::span<const std::pair<std::string, std::string>> suites);

  /// Tasks and groups by name; NAME@N with N examples, whatever `num_fewshot` (-1: the task's own)
  /// says of the rest. kNotFound: no such name; kInvalidArgument: a task is asked for with two
  /// numbers of examples.
  Result<Selection> Select(std::span<const std::string> names, int64_t num_fewshot) const;

  /// The tasks in a group, in reading order, those of groups in it too.
  std::vector<const TaskSpec*> TasksOf(const GroupSpec& group) const;
  const GroupSpec* FindGroup(std::string_view name) const;
  const TaskSpec* FindTask(std::string_view name) const;

  const std::vector<TaskSpec>& tasks() const { return tasks_; }
  const std::vector<GroupSpec>& groups() const { return groups_; }

 private:
  Status Check() const;

  std::vector<TaskSpec> tasks_;
  std::vector<GroupSpec> groups_;
};

}  // namespace nemo::eval
