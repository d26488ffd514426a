#include "tools/nemo-eval/report/page.h"

#include <algorithm>
#include <map>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/html.h"
#include "tools/nemo-eval/report/bars.h"
#include "tools/nemo-eval/report/browser.h"
#include "tools/nemo-eval/report/scores.h"

namespace nemo {
namespace {

constexpr int64_t kMaxResultsBytes = int64_t{256} << 20;
constexpr int64_t kMaxSamplesBytes = int64_t{4} << 30;

constexpr const char* kStyle = R"(
h1 { overflow-wrap: anywhere; }
:root { --groove: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --groove: #1e2327; } }
h2 { margin-top: 2.2rem; } h2 small { font-weight: 400; color: var(--soft); margin-left: .5rem; }
p.note { color: var(--soft); font-size: 13px; max-width: 60rem; margin: .3rem 0 .8rem; }
p.note.warn { color: var(--warn); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; font-size: 13px; margin: .6rem 0; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.row[data-task] { cursor: pointer; } td.wrap { white-space: normal; min-width: 14rem; max-width: 34rem; }
)";

// ---- what ran ----------------------------------------------------------------------------------

std::string FactText(const Value& value) {
  return value.is_string() ? value.as_string() : ToJson(value);
}

std::string Facts(const Value& results) {
  std::string text = "<dl class=\"facts\">\n";
  const Value* config = results.Find("config");
  if (config == nullptr || !config->is_object()) return "";
  for (const auto& [key, value] : config->as_object()) {
    if (value.is_null()) continue;
    text += Format("<dt>{}</dt><dd>{}</dd>\n", EscapeHtml(key), EscapeHtml(FactText(value)));
  }
  return text + "</dl>\n";
}

template <typename Row>
bool AnyRow(const std::vector<ScoreSection>& sections, const Row& is_so) {
  return std::any_of(sections.begin(), sections.end(), [&](const ScoreSection& section) {
    return std::any_of(section.own.begin(), section.own.end(), is_so) ||
           std::any_of(section.members.begin(), section.members.end(), is_so);
  });
}

std::string Warnings(const std::vector<ScoreSection>& sections) {
  std::string text;
  const auto is_part = [](const ScoreRow& row) {
    return row.num_original > 0 && row.num_samples < row.num_original;
  };
  if (AnyRow(sections, is_part)) {
    text +=
        "<p class=\"note warn\">Some tasks were asked in part only (column items): such scores "
        "say little about the whole.</p>\n";
  }
  return text +
         "<p class=\"note\">Scores of different variants of a task, or numbers of shots, do not "
         "compare: the table names what ran.</p>\n";
}

// ---- scores ------------------------------------------------------------------------------------

std::string Tooltip(const ScoreRow& row) {
  std::string text = Format("{}: {} {}", row.name, row.MetricText(), row.ValueText());
  if (row.num_samples > 0) text += Format("; {} items", row.num_samples);
  if (row.num_fewshot) text += Format(", {} shots", *row.num_fewshot);
  if (!row.variant.empty()) text += "; " + row.variant;
  if (row.published) {
    text += Format("; published {:.2f} %: {}", 100 * row.published->value, row.published->remark);
  }
  return text;
}

std::string Overview(const std::vector<ScoreSection>& sections) {
  std::vector<ScoreBar> bars;
  for (size_t i = 0; i < sections.size(); ++i) {
    for (const ScoreRow& row : sections[i].own) {
      bars.push_back({row.alias, row.MetricText(), Tooltip(row), static_cast<int>(i), &row});
    }
  }
  if (bars.empty()) return "";
  std::string legend = "Whiskers: 95 % interval, 1.96 standard errors to both sides.";
  if (AnyRow(sections, [](const ScoreRow& row) { return row.published.has_value(); })) {
    legend += " Upright mark: the published score.";
  }
  return Format("<h2>Scores</h2>\n<p class=\"note\">{}</p>\n{}", legend, BarsHtml(bars));
}

std::string Cell(std::string_view text, std::string_view classes = "") {
  return Format("<td{}>{}</td>", classes.empty() ? "" : Format(" class=\"{}\"", classes),
                EscapeHtml(text));
}

std::string ErrorText(const ScoreRow& row) {
  if (!row.stderr_) return "";
  return row.is_share() ? Format("{:.2f}", 100 * *row.stderr_) : Format("{:.2g}", *row.stderr_);
}

std::string ItemsText(const ScoreRow& row) {
  if (row.num_samples == 0) return "";
  if (row.num_original <= row.num_samples) return Format("{}", row.num_samples);
  return Format("{} of {}", row.num_samples, row.num_original);
}

std::string TableRow(const ScoreRow& row) {
  return "<tr>" + Cell(row.alias, "left") + Cell(row.MetricText(), "left") + Cell(row.ValueText()) +
         Cell(ErrorText(row)) +
         Cell(row.published ? Format("{:.2f} %", 100 * row.published->value) : "") +
         Cell(row.num_fewshot ? Format("{}", *row.num_fewshot) : "") + Cell(ItemsText(row)) +
         Cell(row.published ? Format("{}. Published: {}", row.variant, row.published->remark)
                            : row.variant,
              "left wrap") +
         "</tr>\n";
}

std::string ScoreTable(const std::vector<ScoreSection>& sections) {
  std::string text =
      "<h2>Table</h2>\n<div class=\"scroll\"><table>\n<tr><th class=\"left\">task</th><th "
      "class=\"left\">metric</th><th>score</th><th>± stderr</th><th>published</th><th>shots</th>"
      "<th>items</th><th class=\"left\">variant</th></tr>\n";
  for (const ScoreSection& section : sections) {
    for (const ScoreRow& row : section.own) text += TableRow(row);
    if (!section.own.empty()) continue;
    for (const ScoreRow& row : section.members) text += TableRow(row);
  }
  return text + "</table></div>\n";
}

/// The metric that a group's members are compared by: the group's own, else their last.
std::string MetricOf(const ScoreSection& section) {
  const std::vector<ScoreRow>& rows = section.own.empty() ? section.members : section.own;
  return rows.empty() ? "" : rows.back().metric + "," + rows.back().filter;
}

std::string Members(const ScoreSection& section) {
  const std::string metric = MetricOf(section);
  std::map<std::string, int> colours;
  std::vector<ScoreBar> bars;
  for (size_t i = 0; i < section.members.size(); ++i) {
    const ScoreRow& row = section.members[i];
    if (row.metric + "," + row.filter != metric) continue;
    const int colour =
        colours.try_emplace(section.parts[i], static_cast<int>(colours.size())).first->second;
    bars.push_back({row.alias, "", Tooltip(row), colour, &row});
  }
  if (bars.size() < 2) return "";
  std::string legend;
  for (const auto& [part, colour] : colours) {
    if (part.empty()) continue;
    legend += Format(
        "<span style=\"margin-right:1rem\"><span style=\"display:inline-block;width:.7rem;"
        "height:.7rem;background:var(--s{})\"></span> {}</span>",
        colour % 8, EscapeHtml(part));
  }
  return Format(
      "<section><h2>{}<small>{}, {} tasks</small></h2>\n<p class=\"note\">Order <select "
      "class=\"order\"><option value=\"file\">of the task file</option><option "
      "value=\"score\">by score</option><option value=\"name\">by name</option></select> &nbsp; "
      "{}</p>\n{}</section>\n",
      EscapeHtml(section.name), EscapeHtml(bars.front().row->MetricText()), bars.size(), legend,
      BarsHtml(bars));
}

std::string Samples(const std::vector<TaskSamples>& samples, int64_t max_bytes) {
  if (samples.empty()) return "";
  return "<h2>Samples</h2>\n" + BrowserHtml(BrowserData(samples, max_bytes));
}

std::string ModelName(const Value& results) {
  const Value* name = results.Find("model_name");
  return name != nullptr && name->is_string() ? name->as_string() : "a model";
}

// ---- files -------------------------------------------------------------------------------------

/// The first lines of a file of samples, no more than a page may carry of them.
Result<TaskSamples> ReadSamples(const std::string& path, const std::string& task) {
  TaskSamples samples{task, {}, 0};
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxSamplesBytes));
  int64_t num_bytes = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    ++samples.num_rows;
    if ((num_bytes += std::ssize(line)) > 8 * kMaxPageSampleBytes) continue;
    Result<Value> row = ParseJson(line);
    if (!row) return row.error().At(Format("{}: line {}", path, samples.num_rows));
    samples.rows.push_back(std::move(*row));
  }
  return samples;
}

Result<std::vector<TaskSamples>> AllSamples(const std::string& directory, const Value& results) {
  std::vector<TaskSamples> all;
  const Value* scores = results.Find("results");
  if (scores == nullptr || !scores->is_object()) return all;
  for (const auto& [task, unused] : scores->as_object()) {
    if (task.find('/') != task.npos) continue;
    const std::string path = JoinPath(directory, Format("samples_{}.jsonl", task));
    if (KindOf(path) != PathKind::kFile) continue;  // a group, or samples were not wanted
    NEMO_ASSIGN_OR_RETURN(TaskSamples samples, ReadSamples(path, task));
    all.push_back(std::move(samples));
  }
  return all;
}

}  // namespace

std::string EvalPage(const Value& results, const std::vector<TaskSamples>& samples,
                     int64_t max_sample_bytes) {
  const std::vector<ScoreSection> sections = SectionsOf(results);
  const std::string title = Format("Evaluation of {}", ModelName(results));
  std::string body = Format("<h1>{}</h1>\n", EscapeHtml(title)) + Facts(results) +
                     Warnings(sections) + Overview(sections) + ScoreTable(sections);
  for (const ScoreSection& section : sections) body += Members(section);
  body += Samples(samples, max_sample_bytes);
  return HtmlPage(title, std::string(kStyle) + kBarsStyle + kBrowserStyle, body);
}

Status WriteEvalPage(const std::string& directory) {
  const std::string path = JoinPath(directory, "results.json");
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxResultsBytes));
  Result<Value> results = ParseJson(text);
  if (!results) return results.error().At(path);
  NEMO_ASSIGN_OR_RETURN(const std::vector<TaskSamples> samples, AllSamples(directory, *results));
  return WriteFileAtomically(JoinPath(directory, "report.html"), EvalPage(*results, samples));
}

}  // namespace nemo
