#include "libcore/runtime/row_score.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace nemo {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(RowScore, MergesChunksInOrderAndTakesTheLowestOfEquals) {
  // Logits 1 2 | 5 5 | (padding) | 5 0.
  const ChunkStats chunks[] = {{2, static_cast<float>(std::exp(-1.0) + 1), 1},
                               {5, 2, 2},
                               {-kInf, 0, -1},
                               {5, static_cast<float>(1 + std::exp(-5.0)), 6}};
  auto score = MergeChunks(chunks);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->argmax, 2);
  EXPECT_EQ(score->max, 5);
  const double sum = std::exp(1.0) + std::exp(2.0) + 3 * std::exp(5.0) + 1;
  EXPECT_NEAR(score->log_sum_exp, std::log(sum), 1e-7);
  EXPECT_NEAR(score->LogProb(5), 5 - std::log(sum), 1e-7);
}

TEST(RowScore, RefusesRowsThatAreNoNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const ChunkStats& chunk : {ChunkStats{-kInf, 0, -1}, ChunkStats{nan, nan, 0},
                                  ChunkStats{kInf, nan, 0}, ChunkStats{1, nan, 0}}) {
    auto score = MergeChunks(std::span(&chunk, 1));
    ASSERT_FALSE(score);
    EXPECT_EQ(score.error().code(), StatusCode::kCorruption);
  }
}

}  // namespace
}  // namespace nemo
