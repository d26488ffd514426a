// Two reports side by side: which rows became faster, which slower.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/nemo-bench/report/record.h"

namespace nemo {

/// A row that both reports have.
struct Comparison {
  std::string name;
  double a = 0, b = 0;        ///< median seconds, or the rate
  double speed = 0;           ///< of B relative to A: above 1, B is faster
  bool within_noise = false;  ///< p10..p90 of both overlap (times only)
};

struct ComparisonReport {
  std::vector<Comparison> rows;
  std::vector<std::string> only_a, only_b;

  /// Rows of B slower than `allowed` (0.05: 5 %) beyond noise.
  std::vector<Comparison> Slower(double allowed) const;
  /// Geometric mean of the speeds; 1 without rows.
  double MeanSpeed() const;
};

/// Compares median times, or with `rate` ("tok/CPU-s") that rate, of rows with the same name.
/// kInvalidArgument: the reports have no row in common, or none with that rate.
Result<ComparisonReport> Compare(const Report& a, const Report& b, const std::string& rate);

Value ToValue(const ComparisonReport& comparison);
std::string ToText(const ComparisonReport& comparison, const std::string& rate, int max_width);

}  // namespace nemo
