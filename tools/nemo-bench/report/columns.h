// The columns of a report's table, the same on a terminal and on a page.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/common/table.h"
#include "tools/nemo-bench/report/record.h"

namespace nemo {

struct ReportColumn {
  std::string title;
  Table::Align align = Table::Align::kLeft;
  std::function<std::string(const Record&)> cell;  ///< empty: nothing to say
};

/// Name, shape, times, one column for each rate, the share of the limit, error, peer; without those
/// that no row fills. `wide` adds what a terminal has no room for: dtype and backend.
std::vector<ReportColumn> ColumnsOf(const Report& report, bool wide);

/// Three digits: "0.123", "45.6", "789".
std::string FormatRate(double value);
/// "0" for the same bits, else "1.2e-03".
std::string FormatError(double error);

}  // namespace nemo
