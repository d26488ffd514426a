// A report as a table for a terminal.
#pragma once

#include <string>

#include "tools/nemo-bench/report/record.h"

namespace nemo {

/// Machine and limits, a line per fact.
std::string HeadText(const Report& report);
/// HeadText, the rows, then warnings and notes.
std::string ToText(const Report& report, int max_width);

}  // namespace nemo
