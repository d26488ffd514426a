#include "tools/nemo-eval/report/scores.h"

#include <algorithm>
#include <set>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int kMaxDepth = 8;  // of groups in groups: the file might lead in a circle

const Value* FindPath(const Value& value, std::initializer_list<std::string_view> path) {
  const Value* found = &value;
  for (const std::string_view key : path) {
    if (found != nullptr) found = found->Find(key);
  }
  return found;
}

int64_t IntOf(const Value* value) {
  return value != nullptr && value->is_int() ? value->as_int() : 0;
}

std::string TextOf(const Value* value) {
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

// lm-evaluation-harness indents the names of members: " - anatomy".
std::string Unindented(std::string text) {
  const size_t begin = text.find_first_not_of(" -");
  return begin == text.npos ? text : text.substr(begin);
}

std::optional<PublishedScore> PublishedOf(const Value& results, const ScoreRow& row) {
  const Value* list = results.Find("published");
  if (list == nullptr || !list->is_array()) return std::nullopt;
  for (const Value& entry : list->as_array()) {
    const Value* value = entry.Find("value");
    if (TextOf(entry.Find("task")) != row.name || value == nullptr || !value->is_number()) continue;
    if (TextOf(entry.Find("metric")) != row.metric + "," + row.filter) continue;
    return PublishedScore{value->as_double(), TextOf(entry.Find("remark"))};
  }
  return std::nullopt;
}

/// A row for each "metric,filter" of `task`.
std::vector<ScoreRow> RowsOf(const Value& results, const std::string& task) {
  std::vector<ScoreRow> rows;
  const Value* scores = FindPath(results, {"results", task});
  if (scores == nullptr || !scores->is_object()) return rows;
  for (const auto& [key, value] : scores->as_object()) {
    const size_t comma = key.find(',');
    if (comma == key.npos || !value.is_number() || key.substr(0, comma).ends_with("_stderr"))
      continue;
    ScoreRow row;
    row.name = task;
    row.alias = Unindented(TextOf(scores->Find("alias")));
    if (row.alias.empty()) row.alias = task;
    row.metric = key.substr(0, comma);
    row.filter = key.substr(comma + 1);
    row.value = value.as_double();
    const Value* error = scores->Find(row.metric + "_stderr," + row.filter);
    if (error != nullptr && error->is_number()) row.stderr_ = error->as_double();
    row.num_samples = IntOf(FindPath(results, {"n-samples", task, "effective"}));
    if (row.num_samples == 0) row.num_samples = IntOf(scores->Find("sample_len"));
    row.num_original = IntOf(FindPath(results, {"n-samples", task, "original"}));
    const Value* shots = FindPath(results, {"n-shot", task});
    if (shots != nullptr && shots->is_int()) row.num_fewshot = shots->as_int();
    row.variant = TextOf(FindPath(results, {"configs", task, "variant"}));
    row.published = PublishedOf(results, row);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The tasks below `group`, all the way down.
void Collect(const Value& results, const std::string& group, int depth,
             std::vector<std::string>* tasks, std::set<std::string>* seen) {
  const Value* members = FindPath(results, {"group_subtasks", group});
  if (members == nullptr || !members->is_array() || depth > kMaxDepth) return;
  for (const Value& member : members->as_array()) {
    if (!member.is_string() || !seen->insert(member.as_string()).second) continue;
    const Value* below = FindPath(results, {"group_subtasks", member.as_string()});
    if (below != nullptr && below->is_array() && !below->as_array().empty()) {
      Collect(results, member.as_string(), depth + 1, tasks, seen);
    } else {
      tasks->push_back(member.as_string());
    }
  }
}

struct Group {
  std::string name;
  std::vector<std::string> tasks;  // in the file's order
  std::set<std::string> inside;    // tasks and groups

  bool Has(const std::string& task) const { return inside.contains(task); }
  /// All its tasks are the other's, and either there are others or the other names it.
  bool IsPartOf(const Group& other) const {
    const bool named = other.Has(name) && !Has(other.name);
    return (tasks.size() < other.tasks.size() || named) &&
           std::all_of(tasks.begin(), tasks.end(),
                       [&](const std::string& task) { return other.Has(task); });
  }
};

std::vector<Group> GroupsOf(const Value& results) {
  std::vector<Group> groups;
  const Value* members = results.Find("group_subtasks");
  if (members == nullptr || !members->is_object()) return groups;
  for (const auto& [name, unused] : members->as_object()) {
    Group group{name, {}, {}};
    Collect(results, name, 0, &group.tasks, &group.inside);
    if (!group.tasks.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

void Append(std::vector<ScoreRow> rows, std::vector<ScoreRow>* to) {
  for (ScoreRow& row : rows) to->push_back(std::move(row));
}

ScoreSection SectionOf(const Value& results, const std::vector<Group>& groups, const Group& group) {
  ScoreSection section;
  section.name = group.name;
  section.own = RowsOf(results, group.name);
  std::vector<const Group*> parts;
  for (const Group& other : groups) {
    if (other.IsPartOf(group)) parts.push_back(&other);
  }
  for (const Group* part : parts) Append(RowsOf(results, part->name), &section.own);
  for (const std::string& task : group.tasks) {
    const auto part = std::find_if(parts.begin(), parts.end(),
                                   [&](const Group* other) { return other->Has(task); });
    Append(RowsOf(results, task), &section.members);
    section.parts.resize(section.members.size(), part == parts.end() ? "" : (*part)->name);
  }
  return section;
}

}  // namespace

bool ScoreRow::is_share() const {
  return !metric.ends_with("perplexity") && metric != "bits_per_byte" && value >= 0 && value <= 1;
}

std::string ScoreRow::MetricText() const {
  return filter.empty() || filter == "none" ? metric : metric + ", " + filter;
}

std::string ScoreRow::ValueText() const {
  return is_share() ? Format("{:.2f} %", 100 * value) : Format("{:.5g}", value);
}

std::vector<ScoreSection> SectionsOf(const Value& results) {
  std::vector<ScoreSection> sections;
  const Value* scores = results.Find("results");
  if (scores == nullptr || !scores->is_object()) return sections;
  const std::vector<Group> groups = GroupsOf(results);
  std::set<std::string> told;
  for (const Group& group : groups) {
    if (std::any_of(groups.begin(), groups.end(),
                    [&](const Group& other) { return group.IsPartOf(other); })) {
      told.insert(group.name);
      continue;
    }
    ScoreSection section = SectionOf(results, groups, group);
    told.insert(group.name);
    told.insert(group.tasks.begin(), group.tasks.end());
    if (!section.own.empty() || !section.members.empty()) sections.push_back(std::move(section));
  }
  for (const auto& [name, unused] : scores->as_object()) {
    if (told.contains(name)) continue;
    ScoreSection section{name, RowsOf(results, name), {}, {}};
    if (!section.own.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace nemo
