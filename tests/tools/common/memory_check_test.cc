// Models that a machine has no memory for are refused in figures.
#include "tools/common/memory_check.h"

#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

constexpr int64_t kGB = 1'000'000'000;

RankNeeds Rank(char machine, int64_t gigabytes, int64_t room) {
  RankNeeds needs;
  needs.machine = {machine};
  needs.memory = {.weight_bytes = (gigabytes - 1) * kGB, .kv_bytes = kGB};
  needs.machine_bytes = room * kGB;
  return needs;
}

TEST(MemoryCheck, AddsUpTheRanksOfAMachine) {
  const std::vector<RankNeeds> apart = {Rank('a', 6, 10), Rank('b', 6, 10)};
  EXPECT_TRUE(CheckNeeds(apart, 1).ok());
  const std::vector<RankNeeds> together = {Rank('a', 6, 10), Rank('a', 6, 10)};
  const Status status = CheckNeeds(together, 1);
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find(
                "2 ranks on one machine: 12.0 GB are needed (10.0 GB of weights, 2.0 GB "
                "of KV cache, 0 B of buffers), and 10.0 GB are available"),
            std::string::npos)
      << status.message();
  EXPECT_FALSE(CheckNeeds(apart, 2).ok()) << "two replicas in each process";
}

TEST(MemoryCheck, AddsUpTheRanksOfACgroup) {
  std::vector<RankNeeds> ranks = {Rank('a', 6, 100), Rank('a', 6, 100)};
  for (RankNeeds& rank : ranks) {
    rank.cgroup_bytes = 7 * kGB;
    rank.cgroup_limit_bytes = 8 * kGB;
    rank.cgroup_id = {1, 10};
  }
  ranks[1].cgroup_id = {1, 11};
  EXPECT_TRUE(CheckNeeds(ranks, 1).ok());
  ranks[1].cgroup_id = ranks[0].cgroup_id;
  const Status status = CheckNeeds(ranks, 1);
  EXPECT_NE(status.message().find("in a cgroup of 8.0 GB (the job's limit): 12.0 GB are needed"),
            std::string::npos)
      << status.message();
}

TEST(MemoryCheck, RefusesNothingWhereNothingIsKnown) {
  const std::vector<RankNeeds> ranks = {Rank('a', 600, 1)};
  std::vector<RankNeeds> unknown = ranks;
  unknown[0].machine_bytes = -1;
  EXPECT_TRUE(CheckNeeds(unknown, 1).ok());
  EXPECT_FALSE(CheckNeeds(ranks, 1).ok());
}

TEST(MemoryCheck, KnowsThisMachine) {
  const RankNeeds mine = NeedsOf({.weight_bytes = 1});
  EXPECT_NE(mine.machine[0], 0);
  EXPECT_GT(mine.machine_bytes, 0);
  EXPECT_TRUE(CheckNeeds(std::span(&mine, 1), 1).ok());
}

}  // namespace
}  // namespace nemo
