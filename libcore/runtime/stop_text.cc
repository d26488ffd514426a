#include "libcore/runtime/stop_text.h"

#include <algorithm>
#include <utility>

namespace nemo {

StopText::StopText(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) longest_ = std::max(longest_, stop.size());
}

bool StopText::Add(std::string_view text) {
  if (!watches()) return false;
  tail_ += text;
  const bool found = std::ranges::any_of(
      stop_strings_, [&](const std::string& stop) { return tail_.find(stop) != tail_.npos; });
  if (tail_.size() >= longest_) tail_.erase(0, tail_.size() - (longest_ - 1));
  return found;
}

}  // namespace nemo
