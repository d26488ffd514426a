// Scores as bars of HTML: they keep their letters' size on any width, unlike a picture.
#pragma once

#include <span>
#include <string>

#include "tools/nemo-eval/report/scores.h"

namespace nemo {

struct ScoreBar {
  std::string label;
  std::string detail;  ///< behind it, in small letters
  std::string title;   ///< of the tooltip
  int series = 0;      ///< colour, --s0 to --s7
  const ScoreRow* row = nullptr;
};

/// A row for each bar, from 0 to 100 %: the whisker reaches 1.96 standard errors to both sides, the
/// upright mark is the published score. What is no share has its number only.
std::string BarsHtml(std::span<const ScoreBar> bars);

/// What BarsHtml needs in the page's style sheet.
extern const char* const kBarsStyle;

}  // namespace nemo
