// Metrics: from the values of single samples to a score with its standard error, as
// lm-evaluation-harness 0.4.13 computes them, digit for digit (api/metrics.py).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo::eval {

struct WeightedValue {
  double value = 0;
  double weight = 1;
};

struct Score {
  double value = 0;
  std::optional<double> stderr_;  ///< absent: fewer than two samples, or the metric has none
  int64_t num_samples = 0;
};

struct MetricRow {
  std::string_view name;
  bool higher_is_better;
  std::string_view help;
  Score (*aggregate)(std::span<const WeightedValue> values);  ///< at least one
};

/// kInvalidArgument: no such metric, with those that there are.
Result<const MetricRow*> FindMetric(std::string_view name);

/// Scores of a group's tasks, weighted by their sizes. Without a standard error as soon as one task
/// has none. NEMO_CHECKs that there is one.
Score Pool(std::span<const Score> scores);

}  // namespace nemo::eval
