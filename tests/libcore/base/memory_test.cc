// What /proc and /sys say about memory, from trees that look like them.
#include "libcore/base/memory.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class MemoryTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(CreateDirectories(DirName(dir_ / path)).ok());
    testing::WriteFileOrDie(dir_ / path, text);
  }
  MemoryRoom Look() const { return AvailableMemory(dir_.path()); }

  testing::TempDir dir_;
};

TEST_F(MemoryTest, KnowsNothingWhereNothingIsSaid) {
  EXPECT_EQ(Look().bytes(), -1);
  EXPECT_EQ(Look().cgroup_limit_bytes, -1);
}

TEST_F(MemoryTest, CountsSwapToTheMachine) {
  Write("proc/meminfo",
        "MemTotal:       9000 kB\nMemFree:        1 kB\nMemAvailable:   2048 kB\n"
        "SwapTotal:      4096 kB\nSwapFree:       1024 kB\n");
  EXPECT_EQ(Look().machine_bytes, 3 * kMiB);
  EXPECT_EQ(Look().cgroup_bytes, -1);
  EXPECT_EQ(Look().bytes(), 3 * kMiB);
}

TEST_F(MemoryTest, TakesTheTightestCgroupOnTheWayUp) {
  Write("proc/meminfo", "MemAvailable: 8192 kB\n");
  Write("proc/self/cgroup", "0::/slurm/job/step\n");
  Write("sys/fs/cgroup/slurm/job/step/memory.max", "max\n");
  Write("sys/fs/cgroup/slurm/job/step/memory.current", "4096\n");
  Write("sys/fs/cgroup/slurm/job/memory.max", "6291456\n");
  Write("sys/fs/cgroup/slurm/job/memory.current", "5242880\n");
  Write("sys/fs/cgroup/slurm/job/memory.stat",
        "anon 1048576\nfile 4194304\ninactive_file 3145728\nactive_file 1048576\n");
  EXPECT_EQ(Look().cgroup_bytes, 5 * kMiB) << "pages of files give way";
  EXPECT_EQ(Look().cgroup_limit_bytes, 6 * kMiB);
  EXPECT_EQ(Look().bytes(), 5 * kMiB);
  Write("sys/fs/cgroup/slurm/memory.max", "2097152\n");
  Write("sys/fs/cgroup/slurm/memory.current", "3145728\n");
  EXPECT_EQ(Look().bytes(), 0) << "nothing is left, not less";
}

TEST_F(MemoryTest, NamesTheOuterOfTwoEqualCgroups) {
  Write("proc/self/cgroup", "0::/job/task_1\n");
  for (const std::string cgroup : {"job", "job/task_0", "job/task_1"}) {
    Write("sys/fs/cgroup/" + cgroup + "/memory.max", "8192\n");
    Write("sys/fs/cgroup/" + cgroup + "/memory.current", "4096\n");
  }
  const MemoryRoom mine = Look();
  EXPECT_EQ(mine.cgroup_bytes, 4096);
  Write("proc/self/cgroup", "0::/job/task_0\n");
  EXPECT_EQ(Look().cgroup_id, mine.cgroup_id) << "both tasks are in the job's";
  Write("sys/fs/cgroup/job/task_0/memory.max", "6144\n");
  EXPECT_NE(Look().cgroup_id, mine.cgroup_id) << "its own is tighter";
}

TEST_F(MemoryTest, ReadsVersionOneAndAContainersOwnRoot) {
  Write("proc/self/cgroup",
        "12:pids:/docker/abc\n4:cpu,memory:/docker/abc\n0::/../x\n1:name=x:/\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "4194304\n");
  Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "2097152\n");
  Write("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(Look().bytes(), 3 * kMiB);
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Look().bytes(), -1);
}

TEST_F(MemoryTest, IsNotLedAstrayByLinesOfAnotherForm) {
  Write("proc/self/cgroup", "\n:\n0:\n0::\n0::relative\nno colons\n");
  Write("proc/meminfo", "MemAvailable:\nMemAvailable: many kB\n");
  EXPECT_EQ(Look().bytes(), -1);
}

TEST(Memory, OfThisMachineIsKnown) { EXPECT_GT(AvailableMemory().machine_bytes, 0); }

}  // namespace
}  // namespace nemo
