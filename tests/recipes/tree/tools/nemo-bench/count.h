// nemo-bench count: how many rows a report has.
#pragma once

#include <string>

#include "tools/common/tool.h"

namespace nemo {

struct CountOptions {
  std::string report;
};

Tool CountTool(CountOptions* options);

}  // namespace nemo
