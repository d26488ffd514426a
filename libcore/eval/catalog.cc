#include "libcore/eval/catalog.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

constexpr int64_t kMaxFewshot = 1000;
constexpr int kMaxDepth = 8;  // of groups in groups

template <typename T>
const T* FindNamed(const std::vector<T>& rows, std::string_view name) {
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const T& r) { return r.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

template <typename T>
void Append(std::vector<T>& to, const T& value) {
  if (std::find(to.begin(), to.end(), value) == to.end()) to.push_back(value);
}

/// `name`, `name@5`.
Result<std::pair<std::string, int64_t>> SplitShots(const std::string& text, int64_t otherwise) {
  const size_t at = text.find('@');
  if (at == text.npos) return std::pair(text, otherwise);
  int64_t shots = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + at + 1, end, shots);
  if (error != std::errc() || stop != end || shots < 0 || shots > kMaxFewshot) {
    return InvalidArgument(
        Format("'{}': after @ a number of examples from 0 to {} was expected", text, kMaxFewshot));
  }
  return std::pair(text.substr(0, at), shots);
}

Status AddChoice(Selection& selection, const TaskSpec* task, int64_t shots) {
  for (const Selection::Choice& choice : selection.tasks) {
    if (choice.task != task) continue;
    if (choice.num_fewshot == shots) return OkStatus();
    return InvalidArgument(
        Format("task {} is asked for twice, with different numbers of examples", task->name));
  }
  selection.tasks.push_back({task, shots});
  return OkStatus();
}

class Walker {
 public:
  explicit Walker(const Catalog& catalog) : catalog_(catalog) {}

  void Visit(const GroupSpec& group, int depth = 0) {
    if (depth > kMaxDepth) return;
    Append(groups, &group);
    for (const std::string& name : group.members) {
      if (const GroupSpec* inner = catalog_.FindGroup(name)) {
        Visit(*inner, depth + 1);
      } else if (const TaskSpec* task = catalog_.FindTask(name)) {
        Append(tasks, task);
      }
    }
    for (const TaskSpec& task : catalog_.tasks()) {
      if (std::find(task.groups.begin(), task.groups.end(), group.name) != task.groups.end()) {
        Append(tasks, &task);
      }
    }
  }

  std::vector<const GroupSpec*> groups;
  std::vector<const TaskSpec*> tasks;

 private:
  const Catalog& catalog_;
};

}  // namespace

Result<Catalog> Catalog::Read(std::span<const std::pair<std::string, std::string>> suites) {
  Catalog catalog;
  for (const auto& [name, yaml] : suites) {
    Result<SuiteSpec> suite = ParseSuite(yaml);
    if (!suite) return suite.error().At(name);
    std::move(suite->tasks.begin(), suite->tasks.end(), std::back_inserter(catalog.tasks_));
    std::move(suite->groups.begin(), suite->groups.end(), std::back_inserter(catalog.groups_));
  }
  NEMO_RETURN_IF_ERROR(catalog.Check());
  return catalog;
}

Status Catalog::Check() const {
  std::set<std::string_view> names;
  const auto add = [&](std::string_view name) {
    if (names.insert(name).second) return OkStatus();
    return InvalidArgument(Format("there are two tasks or groups of the name {}", name));
  };
  for (const TaskSpec& task : tasks_) NEMO_RETURN_IF_ERROR(add(task.name));
  for (const GroupSpec& group : groups_) NEMO_RETURN_IF_ERROR(add(group.name));
  for (const GroupSpec& group : groups_) {
    for (const std::string& member : group.members) {
      if (names.contains(member)) continue;
      return InvalidArgument(Format("group {}: there is no task or group {}", group.name, member));
    }
  }
  return OkStatus();
}

const TaskSpec* Catalog::FindTask(std::string_view name) const { return FindNamed(tasks_, name); }
const GroupSpec* Catalog::FindGroup(std::string_view name) const {
  return FindNamed(groups_, name);
}

std::vector<const TaskSpec*> Catalog::TasksOf(const GroupSpec& group) const {
  Walker walker(*this);
  walker.Visit(group);
  return walker.tasks;
}

Result<Selection> Catalog::Select(std::span<const std::string> names, int64_t num_fewshot) const {
  Selection selection;
  for (const std::string& text : names) {
    NEMO_ASSIGN_OR_RETURN(const auto named, SplitShots(text, num_fewshot));
    const auto& [name, shots] = named;
    if (const TaskSpec* task = FindTask(name)) {
      NEMO_RETURN_IF_ERROR(AddChoice(selection, task, shots));
      continue;
    }
    const GroupSpec* group = FindGroup(name);
    if (group == nullptr) return NotFound(Format("there is no task or group '{}'", name));
    Walker walker(*this);
    walker.Visit(*group);
    for (const GroupSpec* inner : walker.groups) Append(selection.groups, inner);
    for (const TaskSpec* task : walker.tasks) {
      NEMO_RETURN_IF_ERROR(AddChoice(selection, task, shots));
    }
  }
  return selection;
}

}  // namespace nemo::eval
