#include "tools/nemo-bench/report/columns.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr auto kLeft = Table::Align::kLeft, kRight = Table::Align::kRight;

/// Every rate of any record, in the order in which they come up.
std::vector<std::string> UnitsOf(const Report& report) {
  std::vector<std::string> units;
  for (const Record& record : report.records) {
    for (const Rate& rate : record.rates) {
      if (std::find(units.begin(), units.end(), rate.unit) == units.end()) {
        units.push_back(rate.unit);
      }
    }
  }
  return units;
}

bool Filled(const ReportColumn& column, const Report& report) {
  return std::any_of(report.records.begin(), report.records.end(),
                     [&](const Record& record) { return !column.cell(record).empty(); });
}

}  // namespace

std::vector<ReportColumn> ColumnsOf(const Report& report, bool wide) {
  std::vector<ReportColumn> columns = {{"name", kLeft, [](const Record& r) { return r.name; }},
                                       {"shape", kLeft, [](const Record& r) { return r.shape; }}};
  if (wide) {
    columns.push_back({"dtype", kLeft, [](const Record& r) { return r.dtype; }});
    columns.push_back({"backend", kLeft, [](const Record& r) { return r.backend; }});
  }
  columns.push_back({"runs", kRight, [](const Record& r) { return Format("{}", r.time.runs); }});
  columns.push_back(
      {"median", kRight, [](const Record& r) { return FormatSeconds(r.time.median); }});
  columns.push_back({"p10", kRight, [](const Record& r) { return FormatSeconds(r.time.p10); }});
  columns.push_back({"p90", kRight, [](const Record& r) { return FormatSeconds(r.time.p90); }});
  for (const std::string& unit : UnitsOf(report)) {
    columns.push_back({unit, kRight, [unit](const Record& r) {
                         const Rate* rate = r.FindRate(unit);
                         return rate == nullptr ? std::string() : FormatRate(rate->value);
                       }});
  }
  columns.push_back({"limit", kLeft, [](const Record& r) { return r.limit; }});
  columns.push_back({"of it", kRight, [](const Record& r) {
                       return r.fraction ? Format("{:.0f} %", 100 * *r.fraction) : std::string();
                     }});
  columns.push_back({"error", kRight, [](const Record& r) {
                       return r.error ? FormatError(*r.error) : std::string();
                     }});
  columns.push_back({"against peer", kRight, [](const Record& r) {
                       return r.peer ? Format("{:.2f}x {}", PeerRatio(r), r.peer->name)
                                     : std::string();
                     }});
  std::erase_if(columns, [&](const ReportColumn& column) { return !Filled(column, report); });
  return columns;
}

std::string FormatRate(double value) {
  if (value == 0) return "0";
  if (value < 0.0005) return Format("{:.1e}", value);
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3;
  return Format("{:.{}f}", value, decimals);
}

std::string FormatError(double error) { return error == 0 ? "0" : Format("{:.1e}", error); }

}  // namespace nemo
