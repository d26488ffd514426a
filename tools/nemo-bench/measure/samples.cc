#include "tools/nemo-bench/measure/samples.h"

#include <algorithm>
#include <cmath>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {

double Percentile(const std::vector<double>& sorted, double percent) {
  NEMO_CHECK(!sorted.empty());
  const double place = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

Summary Summarize(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {static_cast<int64_t>(seconds.size()),
          Percentile(seconds, 50),
          Percentile(seconds, 10),
          Percentile(seconds, 90),
          seconds.front(),
          seconds.back()};
}

std::vector<std::string> WarningsOf(const Summary& summary, int64_t enough_runs,
                                    double short_seconds) {
  std::vector<std::string> warnings;
  if (summary.runs < enough_runs) warnings.push_back(Format("only {} runs", summary.runs));
  if (summary.median < short_seconds) {
    warnings.push_back(
        Format("too short: {} is mostly the call itself", FormatSeconds(summary.median)));
  }
  if (summary.spread() > kNoisySpread) {
    warnings.push_back(
        Format("noisy: p10 to p90 is {:.0f} % of the median; a quieter machine or "
               "more --runs",
               100 * summary.spread()));
  }
  return warnings;
}

Value ToValue(const Summary& summary) {
  Value value;
  value.Set("runs", summary.runs);
  value.Set("median", summary.median);
  value.Set("p10", summary.p10);
  value.Set("p90", summary.p90);
  value.Set("min", summary.min);
  value.Set("max", summary.max);
  return value;
}

Result<Summary> SummaryFromValue(const Value& value) {
  Summary summary;
  NEMO_ASSIGN_OR_RETURN(summary.runs, value.GetInt("runs"));
  const std::pair<const char*, double*> fields[] = {{"median", &summary.median},
                                                    {"p10", &summary.p10},
                                                    {"p90", &summary.p90},
                                                    {"min", &summary.min},
                                                    {"max", &summary.max}};
  for (const auto& [name, field] : fields) {
    NEMO_ASSIGN_OR_RETURN(*field, value.GetDouble(name));
    if (!(*field >= 0)) return Corruption(Format("{} is {}, expected seconds", name, *field));
  }
  return summary;
}

std::string FormatSeconds(double seconds) {
  const struct {
    double unit;
    const char* name;
  } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
  for (const auto& [unit, name] : units) {
    if (seconds >= unit || unit == 1e-9) {
      const double value = seconds / unit;
      // Three digits, whatever their place.
      const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
      return Format("{:.{}f} {}", value, decimals, name);
    }
  }
  return "";
}

}  // namespace nemo
