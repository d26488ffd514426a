#include "tools/nemo-bench/report/html.h"

#include <map>
#include <vector>

#include "libcore/base/format.h"
#include "tools/common/html.h"
#include "tools/nemo-bench/report/columns.h"
#include "tools/nemo-bench/report/svg.h"
#include "tools/nemo-bench/report/text.h"

namespace nemo {
namespace {

constexpr const char* kStyle = R"(
.key { margin-right: 1.2rem; white-space: nowrap; }
.swatch { display: inline-block; width: .7rem; height: .7rem; margin-right: .35rem; }
.grid { stroke: var(--line); } .axis { fill: var(--soft); } .label { fill: var(--ink); }
.roof { stroke: var(--ink); stroke-width: 1.5; fill: none; } .copy { stroke-dasharray: 6 4; }
.roofname { fill: var(--soft); }
.label, .roofname { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
 .leader { stroke: var(--soft); stroke-width: .5; }
.peer { stroke: var(--ink); stroke-width: 2.5; }
)";

/// A colour for each operation, in the order of the rows.
std::map<std::string, int> SeriesOf(const Report& report, std::vector<std::string>* order) {
  std::map<std::string, int> series;
  for (const Record& record : report.records) {
    if (!record.work && !record.fraction) continue;  // in no plot
    if (series.try_emplace(record.operation, static_cast<int>(series.size())).second) {
      order->push_back(record.operation);
    }
  }
  return series;
}

std::string Legend(const std::vector<std::string>& operations) {
  std::string text = "<p>";
  for (size_t i = 0; i < operations.size(); ++i) {
    text += Format(
        "<span class=\"key\"><span class=\"swatch\" style=\"background:var(--s{})\">"
        "</span>{}</span>\n",
        i % kSeriesColours, EscapeHtml(operations[i]));
  }
  return text + "</p>\n";
}

std::string SeriesStyle() {
  std::string text;
  for (int i = 0; i < kSeriesColours; ++i) text += Format(".s{0} {{ fill: var(--s{0}); }} ", i);
  return text + "\n";
}

/// Without the operation's name, which the colour says.
std::string ShortName(const Record& record) {
  const std::string prefix = record.operation + "/";
  return record.name.starts_with(prefix) ? record.name.substr(prefix.size()) : record.name;
}

std::string Plots(const Report& report) {
  std::vector<std::string> operations;
  const auto series = SeriesOf(report, &operations);
  std::vector<RooflinePoint> points;
  std::vector<Bar> bars;
  bool peers = false;
  for (const Record& record : report.records) {
    const auto found = series.find(record.operation);
    if (found == series.end()) continue;
    const int colour = found->second;
    if (record.work) {
      points.push_back({ShortName(record), colour, record.work->intensity(),
                        record.work->flops / record.time.median});
    }
    if (record.fraction) {
      const double peer = record.peer ? *record.fraction / PeerRatio(record) : 0;
      peers = peers || peer > 0;
      bars.push_back({record.name, colour, *record.fraction, peer});
    }
  }
  std::string text;
  const std::string roofline = report.limits ? RooflineSvg(*report.limits, points) : "";
  if (!roofline.empty()) text += "<h2>Roofline</h2>\n" + Legend(operations) + roofline;
  if (!bars.empty()) {
    text += "<h2>Share of the limit</h2>\n";
    if (peers) text += "<p>The upright mark is the peer's share.</p>\n";
    text += BarsSvg(bars);
  }
  return text;
}

std::string Cell(const char* element, const std::string& text, Table::Align align) {
  return Format("<{0}{1}>{2}</{0}>", element, align == Table::Align::kLeft ? " class=\"left\"" : "",
                EscapeHtml(text));
}

std::string Rows(const Report& report) {
  const std::vector<ReportColumn> columns = ColumnsOf(report, true);
  std::string text = "<h2>Rows</h2>\n<div class=\"scroll\"><table>\n<tr>";
  for (const ReportColumn& column : columns) text += Cell("th", column.title, column.align);
  text += "</tr>\n";
  for (const Record& record : report.records) {
    text += "<tr>";
    for (const ReportColumn& column : columns) {
      text += Cell("td", column.cell(record), column.align);
    }
    text += "</tr>\n";
  }
  return text + "</table></div>\n";
}

std::string Remarks(const Report& report) {
  std::string text;
  for (const Record& record : report.records) {
    for (const std::string& warning : record.warnings) {
      text +=
          Format("<li class=\"warn\">{}: {}</li>\n", EscapeHtml(record.name), EscapeHtml(warning));
    }
  }
  for (const std::string& note : report.notes) text += "<li>" + EscapeHtml(note) + "</li>\n";
  return text.empty() ? text : "<h2>Remarks</h2>\n<ul>\n" + text + "</ul>\n";
}

}  // namespace

std::string ToHtml(const Report& report) {
  const std::string title = Format("nemo-bench {}: {}", report.verb, report.subject);
  const std::string head =
      Format("<h1>{}</h1>\n<pre>{}</pre>\n", EscapeHtml(title), EscapeHtml(HeadText(report)));
  return HtmlPage(title, kStyle + SeriesStyle(),
                  head + Plots(report) + Rows(report) + Remarks(report));
}

}  // namespace nemo
