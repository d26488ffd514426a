// What repeated measurements say: median, spread, and whether they mean anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// Below this a run is mostly the call itself.
inline constexpr double kShortSeconds = 1e-6;
/// Runs that a median can be trusted with.
inline constexpr int64_t kEnoughRuns = 30;
/// (p90 - p10) / median above this is noise.
inline constexpr double kNoisySpread = 0.25;

/// Seconds of one run.
struct Summary {
  int64_t runs = 0;
  double median = 0, p10 = 0, p90 = 0, min = 0, max = 0;

  /// (p90 - p10) / median.
  double spread() const { return median > 0 ? (p90 - p10) / median : 0; }
};

/// Percentile `percent` of ascending `sorted`, between neighbours by proportion. NEMO_CHECK: not
/// empty.
double Percentile(const std::vector<double>& sorted, double percent);
/// NEMO_CHECK: not empty.
Summary Summarize(std::vector<double> seconds);

/// Why the figures may mean little: too few runs (below `enough_runs`), too short, too noisy.
/// Empty: nothing to say.
std::vector<std::string> WarningsOf(const Summary& summary, int64_t enough_runs = kEnoughRuns,
                                    double short_seconds = kShortSeconds);

/// {"runs", "median", "p10", "p90", "min", "max"}, and back. kCorruption, kNotFound.
Value ToValue(const Summary& summary);
Result<Summary> SummaryFromValue(const Value& value);

/// "1.23 ms", three digits.
std::string FormatSeconds(double seconds);

}  // namespace nemo
