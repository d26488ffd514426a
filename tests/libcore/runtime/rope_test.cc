#include "libcore/runtime/rope.h"

#include <cmath>

#include <gtest/gtest.h>

namespace nemo {
namespace {

TEST(Rope, TablesAreTheCosinesOfPositionTimesFrequency) {
  const RopeTables tables = MakeRopeTables(4096, 96, 10000.0);
  ASSERT_EQ(tables.cos.size(), 4096u * 48);
  for (const int64_t position : {0, 1, 63, 64, 1000, 4095}) {
    for (int64_t i = 0; i < 48; ++i) {
      const double angle =
          static_cast<double>(position) * std::pow(10000.0, -2.0 * static_cast<double>(i) / 96);
      // The fp32 angle is off by up to 2^-23 of itself or so, the bf16 value by 2^-9.
      const double tolerance = angle * 0x1p-22 + 0x1p-8;
      EXPECT_NEAR(FloatFromBF16(tables.cos[position * 48 + i]), std::cos(angle), tolerance);
      EXPECT_NEAR(FloatFromBF16(tables.sin[position * 48 + i]), std::sin(angle), tolerance);
    }
  }
}

TEST(Rope, PositionZeroDoesNotRotate) {
  const RopeTables tables = MakeRopeTables(1, 4, 50000.0);
  EXPECT_EQ(tables.cos, (std::vector<BF16>{0x3f80, 0x3f80}));
  EXPECT_EQ(tables.sin, (std::vector<BF16>{0, 0}));
}

}  // namespace
}  // namespace nemo
