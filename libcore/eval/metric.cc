#include "libcore/eval/metric.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

// Sums go from the left, in double, as Python 3.11's sum() does.
template <typename T, typename Term>
double Sum(std::span<const T> values, const Term& term) {
  double sum = 0;
  for (const T& value : values) sum += term(value);
  return sum;
}

Score Mean(std::span<const WeightedValue> values) {
  const auto n = static_cast<double>(values.size());
  Score score;
  score.num_samples = std::ssize(values);
  score.value = Sum(values, [](const WeightedValue& v) { return v.value; }) / n;
  if (values.size() < 2) return score;
  const double squares = Sum(values, [&](const WeightedValue& v) {
    const double difference = v.value - score.value;
    return difference * difference;
  });
  score.stderr_ = std::sqrt(squares / (n - 1)) / std::sqrt(n);
  return score;
}

double WeightedMean(std::span<const WeightedValue> values) {
  return Sum(values, [](const WeightedValue& v) { return v.value; }) /
         Sum(values, [](const WeightedValue& v) { return v.weight; });
}

Score Perplexity(std::span<const WeightedValue> values) {
  return {std::exp(-WeightedMean(values)), std::nullopt, std::ssize(values)};
}

Score BitsPerByte(std::span<const WeightedValue> values) {
  return {-WeightedMean(values) / std::numbers::ln2, std::nullopt, std::ssize(values)};
}

// In reading order.
constexpr MetricRow kMetrics[] = {
    {"acc", true, "share of right choices", Mean},
    {"acc_norm", true, "the same, likelihoods divided by the choice's characters", Mean},
    {"exact_match", true, "share of answers that equal the right one", Mean},
    {"pass@1", true, "share of programs that pass their test", Mean},
    {"pass@10", true, "chance that one of 10 programs passes it", Mean},
    {"pass@100", true, "chance that one of 100 programs passes it", Mean},
    {"word_perplexity", false, "e to the loss per word", Perplexity},
    {"byte_perplexity", false, "e to the loss per byte", Perplexity},
    {"bits_per_byte", false, "loss per byte, in bits", BitsPerByte},
};

}  // namespace

Result<const MetricRow*> FindMetric(std::string_view name) {
  std::vector<std::string_view> names;
  for (const MetricRow& row : kMetrics) {
    if (row.name == name) return &row;
    names.push_back(row.name);
  }
  return InvalidArgument(Format("there is no metric '{}'; there are {}", name, FormatList(names)));
}

Score Pool(std::span<const Score> scores) {
  NEMO_CHECK(!scores.empty());
  const auto size = [](const Score& s) { return static_cast<double>(s.num_samples); };
  const double total = Sum(scores, size);
  Score pooled;
  for (const Score& score : scores) pooled.num_samples += score.num_samples;
  pooled.value = Sum(scores, [&](const Score& s) { return s.value * size(s); }) / total;
  if (!std::all_of(scores.begin(), scores.end(),
                   [](const Score& s) { return s.stderr_.has_value(); })) {
    return pooled;
  }
  const double variance =
      Sum(scores,
          [&](const Score& s) { return (size(s) - 1) * (*s.stderr_ * *s.stderr_) * size(s); }) /
      (total - static_cast<double>(scores.size()));
  pooled.stderr_ = std::sqrt(variance / total);
  return pooled;
}

}  // namespace nemo::eval
