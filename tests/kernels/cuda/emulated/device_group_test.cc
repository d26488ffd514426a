// Sums over ranks on their devices: ranks are threads, each with a backend of its own.
#include "kernels/cuda/device_group.h"

#include <atomic>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/cuda/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::cuda {
namespace {

using testing::DeviceArray;
using testing::ExpectSame;

TEST(DeviceGroup, SumsWhatIsLargerThanASegmentInPieces) {
  const Status status = RunRanks(2, [&](Communicator& group) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({}));
    NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
    std::vector<float> host(kSumFloats + 77);
    for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(i % 1000);
    DeviceArray<float> device(*backend, host);
    NEMO_RETURN_IF_ERROR(sum->AllReduceSum(device.data(), std::ssize(host)));
    for (float& value : host) value *= 2;
    ExpectSame(host, device.Download(), "in pieces");
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(DeviceGroup, SaysWhichRankDidNotComeInTime) {
  std::atomic<int> num_told{0};
  const Status status = RunRanks(3, [&](Communicator& group) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({.peer_deadline_ms = 50}));
    NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
    const auto wait_for_both = [&] {
      while (num_told < 2) std::this_thread::yield();
      return OkStatus();
    };
    if (group.rank() == 2) return wait_for_both();
    DeviceArray<float> device(*backend, {1.0f});
    NEMO_RETURN_IF_ERROR(sum->AllReduceSum(device.data(), 1));
    const Status waited = backend->Synchronize();
    EXPECT_EQ(waited.code(), StatusCode::kUnavailable);
    EXPECT_NE(waited.message().find(Format("rank {} waited 50 ms for rank 2", group.rank())),
              std::string::npos)
        << waited.message();
    ++num_told;
    return wait_for_both();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(DeviceGroup, RanksLeaveInAnyOrderAfterAFailedSum) {
  // A rank that was told leaves at once; one that was not still sends flags into its segment.
  std::atomic<int> num_left{0};
  const Status status = RunRanks(3, [&](Communicator& group) -> Status {
    {
      NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({.peer_deadline_ms = 5}));
      NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
      if (group.rank() == 2) {
        while (num_left < 2) std::this_thread::yield();
        return OkStatus();
      }
      DeviceArray<float> device(*backend, {1.0f});
      NEMO_RETURN_IF_ERROR(sum->AllReduceSum(device.data(), 1));
      EXPECT_FALSE(backend->Synchronize().ok());
    }
    ++num_left;
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(DeviceGroup, RanksThatDifferAreTold) {
  const Status status = RunRanks(2, [&](Communicator& group) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend,
                          CreateCudaBackend({.deterministic = group.rank() == 1}));
    return backend->JoinGroup(group).error();
  });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("rank 0 without --deterministic and rank 1 with it"),
            std::string::npos)
      << status.message();
}

TEST(DeviceGroup, WithoutPeerMemoryOrNcclSumsGoThroughTheHost) {
  simt::FailCall("cudaIpcGetMemHandle", cudaErrorNotSupported);
  const Status status = RunRanks(2, [&](Communicator& group) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({}));
    NEMO_ASSIGN_OR_RETURN(const GroupSum* const sum, backend->JoinGroup(group));
    EXPECT_EQ(sum, nullptr);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

RankFacts Fact(uint64_t machine, char device, bool deterministic = false) {
  RankFacts facts;
  facts.machine = machine;
  facts.device[0] = device;
  facts.deterministic = deterministic ? 1 : 0;
  facts.segment = 1;
  return facts;
}

TEST(PlanGroup, TakesTheWaysThatTheRanksHave) {
  struct Row {
    const char* what;
    std::vector<RankFacts> ranks;
    bool one_shot, nccl;
  };
  RankFacts without_segment = Fact(1, 'b');
  without_segment.segment = 0;
  for (const Row& row :
       {Row{"one device", {Fact(1, 'a'), Fact(1, 'a')}, true, false},
        {"a device each", {Fact(1, 'a'), Fact(1, 'b')}, true, true},
        {"two machines", {Fact(1, 'a'), Fact(2, 'b')}, false, true},
        {"two machines in order", {Fact(1, 'a', true), Fact(2, 'b', true)}, false, false},
        {"in order", {Fact(1, 'a', true), Fact(1, 'b', true)}, true, false},
        {"no segment", {Fact(1, 'a'), without_segment}, false, true},
        {"nine", std::vector<RankFacts>(9, Fact(1, 'a')), false, false}}) {
    const auto plan = PlanGroup(row.ranks);
    ASSERT_TRUE(plan) << row.what;
    EXPECT_EQ(plan->one_shot, row.one_shot) << row.what;
    EXPECT_EQ(plan->nccl, row.nccl) << row.what;
  }
}

TEST(OneShot, GivesEachFloatToOneBlockWhateverTheCount) {
  for (int64_t i = 0; i < kSumFloats; i += 511) {
    const int block = SumBlockOf(i);
    ASSERT_GE(block, 0);
    ASSERT_LT(block, kSumBlocks);
    EXPECT_EQ(block, SumBlockOf(i / kSumChunk * kSumChunk));
  }
}

}  // namespace
}  // namespace nemo::cuda
