// Files with a prompt on each line, for every tool that takes one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

/// What such a file may hold at most.
inline constexpr int64_t kMaxPromptBytes = int64_t{256} << 20;

/// Hands out the lines of `text` that are not blank, without their ends; `place` is "WHERE: line
/// 3". Stops at the first error and returns it. kInvalidArgument: there is no such line.
Status ForEachPromptLine(
    std::string_view text, const std::string& where,
    const std::function<Status(std::string_view line, const std::string& place)>& take);

}  // namespace nemo
