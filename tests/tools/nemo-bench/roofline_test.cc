#include "tools/nemo-bench/measure/roofline.h"

#include <gtest/gtest.h>

#include "tools/nemo-bench/report/record.h"

namespace nemo {
namespace {

// 100 GB/s read, 80 GB/s copy (both directions together), 1 TFLOP/s.
const Limits kLimits = {100e9, 80e9, 1e12, "test"};

TEST(Roofline, TakesTheSlowerOfBytesAndOperations) {
  const struct {
    const char* what;
    Work work;
    double seconds;
    const char* limit;
  } rows[] = {
      {"reads only", {100e9, 0, 0}, 1, "memory"},
      {"a copy", {40e9, 40e9, 0}, 1, "memory"},
      {"writes only", {0, 80e9, 0}, 1, "memory"},
      {"more reads than writes", {140e9, 40e9, 0}, 2, "memory"},
      {"arithmetic", {1e9, 0, 3e12}, 3, "compute"},
      {"below the ridge of 10 FLOP/byte", {100e9, 0, 0.99e12}, 1, "memory"},
      {"above it", {100e9, 0, 1.1e12}, 1.1, "compute"},
  };
  for (const auto& row : rows) {
    EXPECT_DOUBLE_EQ(LimitSeconds(row.work, kLimits), row.seconds) << row.what;
    EXPECT_EQ(LimitName(row.work, kLimits), row.limit) << row.what;
  }
}

TEST(Roofline, FractionIsLimitOverMedian) {
  Record record;
  record.time.median = 2;
  record.work = Work{100e9, 0, 1e11};
  AddRoofline(kLimits, &record);
  EXPECT_DOUBLE_EQ(record.fraction.value(), 0.5);
  EXPECT_EQ(record.limit, "memory");
  EXPECT_DOUBLE_EQ(record.FindRate("GB/s")->value, 50);
  EXPECT_DOUBLE_EQ(record.FindRate("TFLOP/s")->value, 0.05);
}

TEST(Roofline, HasNoFractionWithoutLimits) {
  Record record;
  record.time.median = 1;
  record.work = Work{1e9, 0, 0};
  AddRoofline(std::nullopt, &record);
  EXPECT_FALSE(record.fraction.has_value());
  EXPECT_DOUBLE_EQ(record.FindRate("GB/s")->value, 1);
  AddRoofline(Limits{}, &record);
  EXPECT_FALSE(record.fraction.has_value());
}

TEST(Roofline, KeepsTheBetterLimitAndSaysHowFarTheyAreApart) {
  const Limits worse = {50e9, 80e9, 0.9e12, "test"};
  EXPECT_DOUBLE_EQ(Drift(kLimits, worse), 0.5);
  EXPECT_DOUBLE_EQ(Drift(worse, kLimits), 0.5);
  EXPECT_DOUBLE_EQ(Drift(kLimits, kLimits), 0);
  EXPECT_EQ(ToValue(Best(worse, kLimits)), ToValue(kLimits));
}

TEST(Roofline, LimitsComeBackFromJson) {
  const auto back = LimitsFromValue(ToValue(kLimits));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(ToValue(*back), ToValue(kLimits));
}

}  // namespace
}  // namespace nemo
