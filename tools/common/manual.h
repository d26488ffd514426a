// TOOL manual man|markdown: the man page of a tool and its page in docs/tools, made from the same
// tables as --help (tool_text.h).
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"
#include "tools/common/commands.h"
#include "tools/common/tool.h"

namespace nemo {

/// kInvalidArgument: `form` is neither man nor markdown.
Result<std::string> Manual(std::string_view form, const Tool& tool);
Result<std::string> ManualOfCommands(std::string_view form, const CommandSet& set);

}  // namespace nemo
