#include "libcore/runtime/philox.h"

#include <cmath>

#include <gtest/gtest.h>

namespace nemo {
namespace {

TEST(Philox, HasTheKnownAnswers) {
  // Random123's kat_vectors: counter, key, result.
  const struct {
    std::array<uint32_t, 4> counter;
    std::array<uint32_t, 2> key;
    std::array<uint32_t, 4> result;
  } kCases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& row : kCases) EXPECT_EQ(Philox4x32(row.counter, row.key), row.result);
}

TEST(DrawMath, IsWithinTwoUnitsInTheLastPlace) {
  const auto units = [](double got, long double expected) {
    const auto near = static_cast<double>(expected);
    return static_cast<double>(std::fabs(got - expected)) /
           (std::nextafter(std::fabs(near), INFINITY) - std::fabs(near));
  };
  for (int i = 1; i < 100000; ++i) {
    const double u = i / 100000.0;
    for (const double x : {u, 1 - std::ldexp(u, -i % 50), std::ldexp(u, -i % 1000), 3 + u}) {
      EXPECT_LE(units(LogF64(x), std::log(static_cast<long double>(x))), 2) << x;
    }
    for (const double x : {-u, -708 * u, -std::ldexp(u, -i % 60), 10 * u}) {
      EXPECT_LE(units(ExpF64(x), std::exp(static_cast<long double>(x))), 2) << x;
    }
  }
  EXPECT_EQ(ExpF64(0), 1);
  EXPECT_EQ(ExpF64(-INFINITY), 0);
  EXPECT_EQ(ExpF64(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(ExpF64(NAN)));
  // Their bits are a promise: draws are the same on every machine and device.
  EXPECT_EQ(Gumbel({1, 2, 3, 4}, 5), 0x1.1347b293d7c56p-8);
  EXPECT_EQ(ExpF64(-1.0 / 3), 0x1.6edd3122f2ea5p-1);
}

TEST(Gumbel, HasTheMeanAndVarianceOfItsDistribution) {
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double g = Gumbel({3, 17, 0, 0}, static_cast<uint32_t>(i));
    ASSERT_TRUE(std::isfinite(g));
    sum += g;
    squares += g * g;
  }
  const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
  // Five standard errors: sd 1.28 of the mean; the variance's own deviation is about 3.2.
  EXPECT_NEAR(mean, 0.5772156649, 5 * 1.28 / std::sqrt(kDraws));
  EXPECT_NEAR(variance, M_PI * M_PI / 6, 5 * 3.2 / std::sqrt(kDraws));
}

TEST(Gumbel, DependsOnEveryPartOfItsKey) {
  const DrawKey key = {1, 2, 3, 4};
  const double g = Gumbel(key, 5);
  EXPECT_EQ(Gumbel(key, 5), g);
  EXPECT_NE(Gumbel(key, 6), g);
  for (const DrawKey& other : {DrawKey{2, 2, 3, 4}, DrawKey{1ull << 40 | 1, 2, 3, 4},
                               DrawKey{1, 3, 3, 4}, DrawKey{1, 2, 4, 4}, DrawKey{1, 2, 3, 5}}) {
    EXPECT_NE(Gumbel(other, 5), g);
  }
}

}  // namespace
}  // namespace nemo
