// nemo-bench compare: two --json-files side by side.
#pragma once

#include <string>

#include "tools/common/tool.h"

namespace nemo {

struct CompareOptions {
  std::string a, b;
  std::string rate;
  double max_slowdown_percent = -1;  ///< negative: not asked
};

Tool CompareTool(CompareOptions* options);

}  // namespace nemo
