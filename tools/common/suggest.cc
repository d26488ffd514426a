#include "tools/common/suggest.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {

int64_t EditDistance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  // Three rows of the usual table: a swap of neighbours looks two rows back.
  std::vector<int64_t> before(width), above(width), row(width);
  for (size_t j = 0; j < width; ++j) above[j] = static_cast<int64_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int64_t>(i);
    for (size_t j = 1; j < width; ++j) {
      const int64_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::optional<std::string> Nearest(std::string_view word, const std::vector<std::string>& names) {
  // Longer words may be further off; beyond 64 letters nobody mistyped a flag.
  if (word.empty() || word.size() > 64) return std::nullopt;
  int64_t best = std::max<int64_t>(1, static_cast<int64_t>(word.size()) / 3) + 1;
  std::optional<std::string> nearest;
  for (const std::string& name : names) {
    const bool begun = word.size() >= 3 && name.starts_with(word);
    const int64_t distance = begun ? 1 : EditDistance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& names) {
  const auto nearest = Nearest(word, names);
  return nearest ? Format("; did you mean {}?", *nearest) : std::string();
}

}  // namespace nemo
