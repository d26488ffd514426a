// Shell completion scripts, made from the flag table: TOOL completion bash|zsh|fish.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "tools/common/flag.h"

namespace nemo {

/// What `tool` prints for `shell`. Flags with choices complete to them, other values and operands
/// to files; the first word to `commands`, where there are any. kInvalidArgument: an unknown shell.
Result<std::string> CompletionScript(std::string_view shell, const std::string& tool,
                                     const std::vector<Flag>& flags,
                                     const std::vector<std::string>& commands = {});

}  // namespace nemo
