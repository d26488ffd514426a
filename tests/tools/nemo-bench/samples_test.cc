#include "tools/nemo-bench/measure/samples.h"

#include <gtest/gtest.h>

#include "tools/nemo-bench/measure/repeat.h"

namespace nemo {
namespace {

TEST(Samples, PercentilesLieBetweenNeighboursByProportion) {
  // As numpy.percentile of the same numbers.
  const std::vector<double> sorted = {1, 2, 4, 8, 16};
  EXPECT_DOUBLE_EQ(Percentile(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(Percentile(sorted, 50), 4);
  EXPECT_DOUBLE_EQ(Percentile(sorted, 10), 1.4);
  EXPECT_DOUBLE_EQ(Percentile(sorted, 90), 12.8);
  EXPECT_DOUBLE_EQ(Percentile(sorted, 100), 16);
  EXPECT_DOUBLE_EQ(Percentile({7}, 90), 7);
}

TEST(Samples, SummaryDoesNotDependOnTheOrder) {
  const Summary summary = Summarize({3, 1, 2, 5, 4});
  EXPECT_EQ(summary.runs, 5);
  EXPECT_DOUBLE_EQ(summary.median, 3);
  EXPECT_DOUBLE_EQ(summary.min, 1);
  EXPECT_DOUBLE_EQ(summary.max, 5);
  EXPECT_DOUBLE_EQ(summary.p10, 1.4);
  EXPECT_DOUBLE_EQ(summary.p90, 4.6);
}

TEST(Samples, WarnOfWhatMeansLittle) {
  const struct {
    const char* what;
    Summary summary;
    std::vector<std::string> warnings;
  } rows[] = {
      {"good", {30, 1e-3, 0.95e-3, 1.1e-3, 0.9e-3, 2e-3}, {}},
      {"few", {29, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3}, {"only 29 runs"}},
      {"short",
       {30, 5e-7, 5e-7, 5e-7, 5e-7, 5e-7},
       {"too short: 500 ns is mostly the call itself"}},
      {"noisy",
       {30, 1e-3, 0.9e-3, 1.2e-3, 0.9e-3, 2e-3},
       {"noisy: p10 to p90 is 30 % of the median; a quieter machine or more --runs"}},
  };
  for (const auto& row : rows) EXPECT_EQ(WarningsOf(row.summary), row.warnings) << row.what;
}

TEST(Samples, SecondsHaveThreeDigits) {
  const std::pair<double, const char*> rows[] = {
      {1.234, "1.23 s"},   {12.34, "12.3 s"},     {123.4, "123 s"},    {0.0009996, "1000 us"},
      {0.0123, "12.3 ms"}, {9.994e-6, "9.99 us"}, {4.2e-8, "42.0 ns"}, {0, "0.00 ns"},
  };
  for (const auto& [seconds, text] : rows) EXPECT_EQ(FormatSeconds(seconds), text);
}

TEST(Samples, ComeBackFromJson) {
  const Summary summary = Summarize({0.25, 0.5, 0.75});
  const auto back = SummaryFromValue(ToValue(summary));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(ToValue(*back), ToValue(summary));
  Value negative = ToValue(summary);
  negative.Set("p10", -1.0);
  EXPECT_EQ(SummaryFromValue(negative).error().code(), StatusCode::kCorruption);
  EXPECT_EQ(SummaryFromValue(Value(Value::Object())).error().code(), StatusCode::kNotFound);
}

TEST(Repeat, WarmsUpAndCountsRuns) {
  std::vector<int64_t> calls;
  int64_t waits = 0;
  const auto summary = Repeat(
      {.warmup_runs = 3,
       .min_runs = 5,
       .min_seconds = 0,
       .max_seconds = 60,
       .min_sample_seconds = 0},
      [&](int64_t call) { return calls.push_back(call), OkStatus(); },
      [&] { return ++waits, OkStatus(); });
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->runs, 5);
  EXPECT_EQ(calls, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(waits, 8);
}

TEST(Repeat, BeginsNoRunAfterTheTimeIsOver) {
  const auto summary = Repeat(
      {.min_runs = 100, .min_seconds = 0, .max_seconds = 0, .min_sample_seconds = 0},
      [](int64_t) { return OkStatus(); }, [] { return OkStatus(); });
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->runs, 1);
}

TEST(Repeat, HandsErrorsUp) {
  const auto failing = Repeat(
      {}, [](int64_t) { return IoError("no"); }, [] { return OkStatus(); });
  EXPECT_EQ(failing.error().message(), "no");
  const auto waiting = Repeat(
      {}, [](int64_t) { return OkStatus(); }, [] { return Unavailable("gone"); });
  EXPECT_EQ(waiting.error().message(), "gone");
}

}  // namespace
}  // namespace nemo
