#include "libcore/runtime/math.h"

#include <bit>
#include <limits>

#include <gtest/gtest.h>

namespace nemo {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Distance from the exact value in units of the last place of the exact value's float.
double UlpsOff(float got, double exact) {
  const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
  return std::fabs(got - exact) / ulp;
}

TEST(ExpF32, StaysWithinOneUlpOverItsWholeRange) {
  double worst = 0;
  for (float x = exp_f32::kMin; x < exp_f32::kOverflow; x += 0.00037f) {
    worst = std::max(worst, UlpsOff(ExpF32(x), std::exp(double{x})));
  }
  EXPECT_LT(worst, 1.0);
}

TEST(ExpF32, IsExactAtZeroAndNeverAboveOneBelowIt) {
  EXPECT_EQ(ExpF32(0.0f), 1.0f);
  EXPECT_EQ(ExpF32(-0.0f), 1.0f);
  for (float x = -1e-9f; x > -1.0f; x *= 1.01f) ASSERT_LE(ExpF32(x), 1.0f) << x;
}

TEST(ExpF32, EndsWhereFloatsEnd) {
  EXPECT_EQ(ExpF32(-kInf), 0.0f);
  EXPECT_EQ(ExpF32(std::nextafter(exp_f32::kMin, -kInf)), 0.0f);
  EXPECT_GE(ExpF32(exp_f32::kMin), std::numeric_limits<float>::min());
  EXPECT_LT(ExpF32(std::nextafter(exp_f32::kOverflow, 0.0f)), kInf);
  EXPECT_GT(ExpF32(std::nextafter(exp_f32::kOverflow, 0.0f)), 3.4027e38f);
  EXPECT_EQ(ExpF32(exp_f32::kOverflow), kInf);
  EXPECT_EQ(ExpF32(kInf), kInf);
  EXPECT_TRUE(std::isnan(ExpF32(std::numeric_limits<float>::quiet_NaN())));
}

#if defined(__x86_64__)
TEST(FlushDenormals, HoldsForItsLifetimeOnly) {
  volatile float denormal = 1e-40f;
  volatile float normal = std::numeric_limits<float>::min();
  EXPECT_NE(denormal * 1.0f, 0.0f);
  {
    const FlushDenormals flush;
    volatile float from_denormal = denormal * 2.0f;
    volatile float to_denormal = normal * 0.5f;
    EXPECT_EQ(std::bit_cast<uint32_t>(static_cast<float>(from_denormal)), 0u);
    EXPECT_EQ(std::bit_cast<uint32_t>(static_cast<float>(to_denormal)), 0u);
  }
  volatile float after = normal * 0.5f;
  EXPECT_NE(after, 0.0f);
}
#endif

}  // namespace
}  // namespace nemo
