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
