// StopText: finds stop strings in text that arrives in parts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nemo {

/// Watches for the first of some strings, none of them empty. Its work per part does not depend on
/// what came before. Not thread-safe.
class StopText {
 public:
  explicit StopText(std::vector<std::string> stop_strings);

  bool watches() const { return !stop_strings_.empty(); }
  /// Adds text. True: all text so far contains a stop string, which ends in this part.
  bool Add(std::string_view text);

 private:
  std::vector<std::string> stop_strings_;
  size_t longest_ = 0;
  std::string tail_;  // the last bytes so far, one fewer than the longest string has
};

}  // namespace nemo
