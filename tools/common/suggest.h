// The nearest known name to a mistyped one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nemo {

/// Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`.
int64_t EditDistance(std::string_view a, std::string_view b);

/// The name closest to `word`, or nullopt when none is close enough to be meant. On a tie, the
/// first.
std::optional<std::string> Nearest(std::string_view word, const std::vector<std::string>& names);

/// "; did you mean NAME?", or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& names);

}  // namespace nemo
