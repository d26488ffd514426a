#include "formats/torch/claimed_ranges.h"

#include <random>

#include <gtest/gtest.h>

namespace nemo::torch {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

using Ranges = std::vector<ByteRange>;

TEST(ClaimedRanges, OnlyTheFreshPartsOfARangeAreClaimed) {
  ClaimedRanges ranges(100);
  EXPECT_TRUE(ranges.empty());
  EXPECT_EQ(ranges.Claim({10, 20}), (Ranges{{10, 20}}));
  EXPECT_EQ(ranges.Claim({40, 50}), (Ranges{{40, 50}}));
  EXPECT_EQ(ranges.Claim({12, 18}), Ranges{});
  EXPECT_EQ(ranges.Claim({50, 50}), Ranges{});
  EXPECT_EQ(ranges.Unclaimed({0, 100}), (Ranges{{0, 10}, {20, 40}, {50, 100}}));
  EXPECT_EQ(ranges.Claim({15, 60}), (Ranges{{20, 40}, {50, 60}}));
  EXPECT_EQ(ranges.Claim({0, 100}), (Ranges{{0, 10}, {60, 100}}));
  EXPECT_EQ(ranges.Unclaimed({0, 100}), Ranges{});
  EXPECT_FALSE(ranges.empty());
}

TEST(ClaimedRanges, ARangeOverManyMiBIsReturnedInOnePiece) {
  ClaimedRanges ranges(5 * kMiB + 7);
  EXPECT_EQ(ranges.Claim({kMiB - 1, kMiB + 1}), (Ranges{{kMiB - 1, kMiB + 1}}));
  EXPECT_EQ(ranges.Claim({3, 5 * kMiB + 7}), (Ranges{{3, kMiB - 1}, {kMiB + 1, 5 * kMiB + 7}}));
  EXPECT_EQ(ranges.Unclaimed({0, 5 * kMiB + 7}), (Ranges{{0, 3}}));
}

TEST(ClaimedRanges, EveryByteIsClaimedOnceWhateverTheOrder) {
  constexpr int64_t kSize = 3 * kMiB + 1000;
  for (unsigned seed = 0; seed < 5; ++seed) {
    std::mt19937_64 random(seed);
    ClaimedRanges ranges(kSize);
    std::vector<bool> seen(kSize);
    int64_t num_claimed = 0;
    for (int i = 0; i < 400; ++i) {
      const auto begin = static_cast<int64_t>(random() % kSize);
      const auto longest = static_cast<uint64_t>(i % 20 == 0 ? kSize : 5000);
      const int64_t end = std::min(kSize, begin + static_cast<int64_t>(random() % longest));
      int64_t last = -1;
      for (const ByteRange& fresh : ranges.Claim({begin, end})) {
        ASSERT_LT(last, fresh.begin);  // a gap: what touches is one
        ASSERT_LT(fresh.begin, fresh.end);
        for (int64_t at = fresh.begin; at < fresh.end; ++at) {
          ASSERT_FALSE(seen[static_cast<size_t>(at)]);
          seen[static_cast<size_t>(at)] = true;
        }
        num_claimed += fresh.end - fresh.begin;
        last = fresh.end;
      }
      for (int64_t at = begin; at < end; ++at) ASSERT_TRUE(seen[static_cast<size_t>(at)]);
    }
    for (const ByteRange& rest : ranges.Claim({0, kSize})) num_claimed += rest.end - rest.begin;
    EXPECT_EQ(num_claimed, kSize);
  }
}

}  // namespace
}  // namespace nemo::torch
