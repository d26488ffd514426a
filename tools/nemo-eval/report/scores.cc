#include "tools/nemo-eval/report/scores.h"

#include <cmath>
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
    row.variant = TextOf(FindPath(results, {"variants", task}));
    row.published = PublishedOf(results, row);
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The tasks below `group`, with the name of the group that holds each.
void Collect(const Value& results, const std::string& group, const std::string& part, int depth,
             std::set<std::string>* seen, ScoreSection* section) {
  const Value* members = FindPath(results, {"group_subtasks", group});
  if (members == nullptr || !members->is_array() || depth > kMaxDepth) return;
  for (const Value& member : members->as_array()) {
    if (!member.is_string() || !seen->insert(member.as_string()).second) continue;
    const std::string& name = member.as_string();
    const Value* below = FindPath(results, {"group_subtasks", name});
    if (below != nullptr && below->is_array() && !below->as_array().empty()) {
      Collect(results, name, name, depth + 1, seen, section);
      continue;
    }
    for (ScoreRow& row : RowsOf(results, name)) {
      section->members.push_back(std::move(row));
      section->parts.push_back(part);
    }
  }
}

std::set<std::string> NamedAsMembers(const Value& results) {
  std::set<std::string> members;
  const Value* groups = results.Find("group_subtasks");
  if (groups == nullptr || !groups->is_object()) return members;
  for (const auto& [group, list] : groups->as_object()) {
    if (!list.is_array()) continue;
    for (const Value& member : list.as_array()) {
      if (member.is_string()) members.insert(member.as_string());
    }
  }
  return members;
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
  const std::set<std::string> members = NamedAsMembers(results);
  for (const auto& [name, unused] : scores->as_object()) {
    if (members.contains(name)) continue;
    ScoreSection section;
    section.name = name;
    section.own = RowsOf(results, name);
    std::set<std::string> seen;
    Collect(results, name, "", 0, &seen, &section);
    if (!section.own.empty() || !section.members.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace nemo
