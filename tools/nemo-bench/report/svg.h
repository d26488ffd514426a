// Plots as SVG text: nothing is loaded from elsewhere, and colours follow the page's style sheet
// (classes s0, s1, ... of a series; html.cc).
#pragma once

#include <string>
#include <vector>

#include "tools/nemo-bench/measure/roofline.h"

namespace nemo {

/// Colours of the style sheet; further series begin again.
inline constexpr int kSeriesColours = 8;

struct RooflinePoint {
  std::string label;
  int series = 0;
  double intensity = 0;  ///< FLOP per byte, positive
  double flops_per_second = 0;
};
/// Both axes logarithmic; the roofs of `limits`, the points with their labels where there is room,
/// a tooltip each. Points without arithmetic are left out. Empty text when none is left.
std::string RooflineSvg(const Limits& limits, const std::vector<RooflinePoint>& points);

struct Bar {
  std::string label;
  int series = 0;
  double fraction = 0;  ///< of the limit
  double peer = 0;      ///< likewise; 0: none
};
std::string BarsSvg(const std::vector<Bar>& bars);

}  // namespace nemo
