// The door of fmt: text from values. `Format("{} of {}", a, b)`.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

namespace nemo {

template <typename... Args>
std::string Format(fmt::format_string<Args...> text, Args&&... args) {
  return fmt::format(text, std::forward<Args>(args)...);
}

/// "1.4 GB", "512 B": powers of 1000, one decimal.
std::string FormatBytes(int64_t bytes);
/// `[4, 64, 64]`.
template <typename Range>
std::string FormatList(const Range& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

}  // namespace nemo
