// Samples between replicas: each once, equal shares, and what begins alike together.
#include "libcore/eval/split.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

std::vector<int64_t> LoadsOf(const std::vector<SampleCost>& samples, const std::vector<int>& split,
                             int num_replicas, bool scored_only) {
  std::vector<int64_t> loads(num_replicas);
  for (size_t i = 0; i < samples.size(); ++i) {
    if (scored_only && samples[i].generates) continue;
    loads.at(split[i]) += samples[i].tokens;
  }
  return loads;
}

void ExpectEqualShares(const std::vector<int64_t>& loads, int64_t longest) {
  int64_t total = 0;
  for (const int64_t load : loads) total += load;
  for (const int64_t load : loads) EXPECT_LE(load, total / std::ssize(loads) + longest + 1);
}

TEST(Split, SharesAreEqualButForOneSample) {
  std::mt19937 random(7);
  for (const int num_replicas : {1, 2, 3, 7, 16}) {
    for (const int num_samples : {0, 1, 5, 400}) {
      SCOPED_TRACE(Format("{} samples, {} replicas", num_samples, num_replicas));
      std::vector<SampleCost> samples(num_samples);
      int64_t longest = 0;
      for (SampleCost& sample : samples) {
        sample = {1 + static_cast<int64_t>(random() % 900), random() % 3 == 0};
        longest = std::max(longest, sample.tokens);
      }
      const std::vector<int> split = SplitSamples(samples, num_replicas);
      ASSERT_EQ(split.size(), samples.size());
      ExpectEqualShares(LoadsOf(samples, split, num_replicas, true), longest);
      ExpectEqualShares(LoadsOf(samples, split, num_replicas, false), longest);
      EXPECT_EQ(split, SplitSamples(samples, num_replicas));
    }
  }
}

TEST(Split, ScoredSamplesStayInRuns) {
  std::vector<SampleCost> samples(100, {10, false});
  samples[40].tokens = 500;  // the first of those that begin alike
  const std::vector<int> split = SplitSamples(samples, 4);
  EXPECT_TRUE(std::is_sorted(split.begin(), split.end()));
  EXPECT_EQ(split.front(), 0);
  EXPECT_EQ(split.back(), 3);
}

TEST(Split, SamplesWithoutTokensGoSomewhere) {
  const std::vector<SampleCost> samples(3, {0, false});
  EXPECT_EQ(SplitSamples(samples, 2), (std::vector<int>{0, 0, 0}));
}

}  // namespace
}  // namespace nemo::eval
