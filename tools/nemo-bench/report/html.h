// A report as one HTML page that needs nothing but itself: style sheet and plots are in it, no
// script, nothing is loaded.
#pragma once

#include <string>

#include "tools/nemo-bench/report/record.h"

namespace nemo {

/// Facts, roofline plot and shares of the limit (where there are any), all rows, warnings. Follows
/// the reader's choice of light or dark.
std::string ToHtml(const Report& report);

}  // namespace nemo
