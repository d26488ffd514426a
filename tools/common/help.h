// --help, --version: text made from the flag table.
#pragma once

#include <string>

#include "tools/common/tool.h"

namespace nemo {

/// Usage, operands, flags by group, exit codes and an example; lines fit `width` columns.
std::string HelpText(const Tool& tool, int width);

/// "nemo-convert 0.1.0".
std::string VersionText(const Tool& tool);

}  // namespace nemo
