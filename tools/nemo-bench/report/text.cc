#include "tools/nemo-bench/report/text.h"

#include <vector>

#include "libcore/base/format.h"
#include "tools/common/table.h"
#include "tools/nemo-bench/report/columns.h"

namespace nemo {
namespace {

std::string StateText(const Report& report, const char* key, int decimals) {
  const Value* before = report.state_before.Find(key);
  const Value* after = report.state_after.Find(key);
  if (before == nullptr || after == nullptr || !before->is_number() || !after->is_number()) {
    return "not known";
  }
  return Format("{:.{}f} before, {:.{}f} after", before->as_double(), decimals, after->as_double(),
                decimals);
}

std::string Fact(const Value& machine, const char* key) {
  const Value* value = machine.Find(key);
  if (value == nullptr) return "unknown";
  if (value->is_int()) {
    return std::string_view(key).ends_with("bytes") ? FormatBytes(value->as_int())
                                                    : Format("{}", value->as_int());
  }
  return value->is_string() ? value->as_string() : "unknown";
}

}  // namespace

std::string HeadText(const Report& report) {
  const Value& m = report.machine;
  std::string text = Format(
      "bench    {}: {}\nmachine  {}, {} cores ({} threads used), last cache {}, memory {}, "
      "huge pages {}, {}\nload     {}; clock, MHz: {}; {}\n",
      report.verb, report.subject, Fact(m, "cpu"), Fact(m, "cores"), report.threads,
      Fact(m, "cache_bytes"), Fact(m, "memory_bytes"), Fact(m, "huge_pages"), Fact(m, "system"),
      StateText(report, "load", 2), StateText(report, "mhz", 0), Fact(m, "date"));
  if (report.limits) {
    text += Format("limits   read {} GB/s, copy {} GB/s (read and written), {} TFLOP/s ({})\n",
                   FormatRate(report.limits->read_bytes_per_second / 1e9),
                   FormatRate(report.limits->copy_bytes_per_second / 1e9),
                   FormatRate(report.limits->flops_per_second / 1e12), report.limits->compute);
  }
  return text;
}

std::string ToText(const Report& report, int max_width) {
  const std::vector<ReportColumn> columns = ColumnsOf(report, false);
  std::vector<Table::Column> titles;
  for (const ReportColumn& column : columns) titles.push_back({column.title, column.align});
  Table table(titles);
  std::string warnings;
  for (const Record& record : report.records) {
    std::vector<std::string> cells;
    for (const ReportColumn& column : columns) cells.push_back(column.cell(record));
    table.AddRow(std::move(cells));
    for (const std::string& warning : record.warnings) {
      warnings += Format("warning  {}: {}\n", record.name, warning);
    }
  }
  std::string text = HeadText(report) + "\n" + table.ToText(max_width);
  if (!warnings.empty()) text += "\n" + warnings;
  for (const std::string& note : report.notes) text += Format("note     {}\n", note);
  return text;
}

}  // namespace nemo
