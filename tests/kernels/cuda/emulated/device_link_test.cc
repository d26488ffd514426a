// What stages hand on from device to device, and sums by NCCL: ranks are threads, each with a
// device of its own, and NCCL is the emulator's, which waits for every peer.
#include "kernels/cuda/device_link.h"

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/group_plan.h"
#include "kernels/cuda/one_shot.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/emulator/nccl.h"
#include "tests/kernels/cuda/emulator/runtime.h"
#include "tests/kernels/cuda/model_run.h"

namespace nemo::testing {
namespace {

class DeviceLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    simt::SetNccl(true);
    simt::SetDevices(4);
  }
  void TearDown() override {
    simt::SetNccl(false);
    simt::SetDevices(1);
  }
};

/// A rank of a pipeline of one rank per stage.
struct StageRank {
  std::unique_ptr<Backend> backend;
  StageLink* link;
};

Result<StageRank> Join(Communicator& world, const BackendOptions& given = {}) {
  BackendOptions options = given;
  options.device = world.rank();
  StageRank stage;
  NEMO_ASSIGN_OR_RETURN(stage.backend, CreateCudaBackend(options));
  const int last = world.size() - 1;
  const StageNeighbours neighbours = {world.rank() > 0 ? world.rank() - 1 : -1,
                                      world.rank() < last ? world.rank() + 1 : -1};
  NEMO_ASSIGN_OR_RETURN(stage.link, stage.backend->JoinStages(world, neighbours));
  return stage;
}

/// Runs ranks with a short deadline, and where a slow machine let it pass before a peer that is
/// there had come, once more with a longer one.
void RunWithDeadline(int size, const std::function<Status(Communicator&, int64_t)>& body) {
  Status status;
  for (const int64_t deadline_ms : {100, 1000, 10'000, 60'000}) {
    status = RunRanks(size, [&](Communicator& world) { return body(world, deadline_ms); });
    if (status.code() != StatusCode::kUnavailable) break;
  }
  EXPECT_TRUE(status.ok()) << status.message();
}

void ExpectSays(const Status& status, const std::string& words) {
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
}

/// Four steps are under way before the last stage takes any; every stage has one buffer.
TEST_F(DeviceLinkTest, StepsUnderWayArriveInOrderThroughOneBuffer) {
  constexpr int kSteps = 4;
  constexpr int64_t kFloats = 100;
  const Status status = RunRanks(3, [&](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world));
    if (stage.link == nullptr) return Unavailable("no link");
    DeviceArray<float> x(*stage.backend, std::vector<float>(kFloats));
    const int64_t bytes = kFloats * static_cast<int64_t>(sizeof(float));
    // Once in step: the first call of a pair waits for the peer's first.
    for (int step = -1; step < kSteps; ++step) {
      if (step == 0 && world.rank() == 2) NEMO_RETURN_IF_ERROR(world.Barrier());
      if (world.rank() == 0) {
        const std::vector<float> values(kFloats, static_cast<float>(step));
        NEMO_RETURN_IF_ERROR(stage.backend->Upload(x.data(), std::as_bytes(std::span(values))));
      } else {
        NEMO_RETURN_IF_ERROR(stage.link->Recv(x.data(), bytes));
      }
      if (world.rank() < 2) {
        NEMO_RETURN_IF_ERROR(stage.link->Send(x.data(), bytes));
      } else {
        EXPECT_EQ(x.Download(), std::vector<float>(kFloats, static_cast<float>(step)));
      }
    }
    if (world.rank() < 2) NEMO_RETURN_IF_ERROR(world.Barrier());
    return world.Barrier();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(DeviceLinkTest, AModelsActivationsDoNotPassThroughTheHost) {
  std::atomic<int> num_ranks{0};
  const int64_t sent = simt::NumCalls("ncclSend");
  const auto logits = LogitsWith(
      {2, 2, [&] { return CreateCudaBackend({.device = num_ranks++, .deterministic = true}); }});
  ASSERT_TRUE(logits) << logits.error().message();
  EXPECT_EQ(*logits, ExpectedLogits());
  EXPECT_EQ(simt::NumCalls("ncclSend") - sent, 7 * 2) << "seven steps of two ranks";
}

TEST_F(DeviceLinkTest, WithoutADeviceEachOrWithoutNcclStagesSendThroughTheHost) {
  const auto has_link = [](const BackendOptions& options) {
    std::atomic<int> num_links{0};
    const Status status = RunRanks(2, [&](Communicator& world) -> Status {
      NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world, options));
      num_links += stage.link != nullptr ? 1 : 0;
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_NE(num_links, 1) << "some ranks only";
    return num_links == 2;
  };
  EXPECT_TRUE(has_link({}));
  simt::SetDevices(1);
  EXPECT_FALSE(has_link({})) << "one device";
  simt::SetDevices(4);
  simt::FailCall("ncclGetUniqueId", cudaErrorNotSupported);
  EXPECT_FALSE(has_link({})) << "no name";
  simt::FailCall("ncclCommInitRankConfig", cudaErrorNotSupported);
  EXPECT_FALSE(has_link({.peer_deadline_ms = 50})) << "one rank did not start";
  simt::SetNccl(false);
  EXPECT_FALSE(has_link({})) << "no NCCL";
}

TEST_F(DeviceLinkTest, APeerThatNeverTakesIsNamedAndNothingHangs) {
  RunWithDeadline(2, [&](Communicator& world, int64_t deadline_ms) -> Status {
    NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world, {.peer_deadline_ms = deadline_ms}));
    if (stage.link == nullptr) return Unavailable("no link");
    DeviceArray<float> x(*stage.backend, std::vector<float>(3));
    if (world.rank() == 1) {
      NEMO_RETURN_IF_ERROR(stage.link->Recv(x.data(), 12));
      NEMO_RETURN_IF_ERROR(stage.backend->Synchronize());
      NEMO_RETURN_IF_ERROR(world.Barrier());
      return world.Barrier();
    }
    NEMO_RETURN_IF_ERROR(stage.link->Send(x.data(), 12));
    NEMO_RETURN_IF_ERROR(stage.backend->Synchronize());
    NEMO_RETURN_IF_ERROR(world.Barrier());
    const int64_t aborts = simt::NumCalls("ncclCommAbort");
    NEMO_RETURN_IF_ERROR(stage.link->Send(x.data(), 12));
    // More copies than there are slots for: some wait behind what is sent.
    const std::vector<float> values(3);
    Status uploaded;
    for (int i = 0; i < 20 && uploaded.ok(); ++i) {
      uploaded = stage.backend->Upload(x.data(), std::as_bytes(std::span(values)));
    }
    const std::string words = Format("NCCL send, rank 0 to rank 1: waited {} ms", deadline_ms);
    ExpectSays(uploaded, words);
    ExpectSays(stage.backend->Synchronize(), words);
    EXPECT_EQ(simt::NumCalls("ncclCommAbort") - aborts, 1);
    return world.Barrier();
  });
}

TEST_F(DeviceLinkTest, APeerThatNeverCallsIsNamedByTheFirstCall) {
  RunWithDeadline(2, [&](Communicator& world, int64_t deadline_ms) -> Status {
    NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world, {.peer_deadline_ms = deadline_ms}));
    if (stage.link == nullptr) return Unavailable("no link");
    DeviceArray<float> x(*stage.backend, std::vector<float>(3));
    if (world.rank() == 1) {
      ExpectSays(stage.link->Recv(x.data(), 12), "NCCL receive, rank 1 from rank 0: waited");
      ExpectSays(stage.link->Recv(x.data(), 12), "the group has ended");
    }
    return world.Barrier();
  });
}

TEST_F(DeviceLinkTest, SizesThatDifferEndBothSides) {
  std::atomic<int> num_told{0};
  const Status status = RunRanks(2, [&](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world));
    DeviceArray<float> x(*stage.backend, std::vector<float>(4));
    Status called =
        world.rank() == 0 ? stage.link->Send(x.data(), 16) : stage.link->Recv(x.data(), 12);
    if (called.ok()) called = stage.backend->Synchronize();
    ExpectSays(called, "NCCL");
    ++num_told;
    while (num_told < 2) std::this_thread::yield();
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

/// What an engine does when its rank has failed elsewhere: it goes, and frees what is being sent.
TEST_F(DeviceLinkTest, ARankThatLeavesEndsWhatItsPeersNeverTake) {
  RunWithDeadline(2, [&](Communicator& world, int64_t deadline_ms) -> Status {
    NEMO_ASSIGN_OR_RETURN(const StageRank stage, Join(world, {.peer_deadline_ms = deadline_ms}));
    if (stage.link == nullptr) return Unavailable("no link");
    DeviceArray<float> first(*stage.backend, std::vector<float>(3));
    if (world.rank() == 1) {
      NEMO_RETURN_IF_ERROR(stage.link->Recv(first.data(), 12));
    } else {
      DeviceArray<float> second(*stage.backend, std::vector<float>(3));
      NEMO_RETURN_IF_ERROR(stage.link->Send(first.data(), 12));
      NEMO_RETURN_IF_ERROR(stage.link->Send(second.data(), 12));
      stage.backend->EndPeers();
    }
    return world.Barrier();
  });
}

TEST_F(DeviceLinkTest, LargeSumsAreNccls) {
  const int64_t sums = simt::NumCalls("ncclAllReduce");
  const Status status = RunRanks(3, [&](Communicator& group) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({.device = group.rank()}));
    NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
    EXPECT_EQ(sum->Describe(), "peer memory, NCCL above 2 MiB");
    std::vector<float> host(cuda::kSumFloats + 1, static_cast<float>(group.rank()));
    DeviceArray<float> device(*backend, host);
    NEMO_RETURN_IF_ERROR(sum->AllReduceSum(device.data(), std::ssize(host)));
    EXPECT_EQ(device.Download(), std::vector<float>(host.size(), 3));
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(simt::NumCalls("ncclAllReduce") - sums, 3);
}

TEST_F(DeviceLinkTest, AReplayedSumThatAPeerNeverJoinsEndsInTime) {
  RunWithDeadline(2, [&](Communicator& group, int64_t deadline_ms) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({.device = group.rank(),
                                                                 .peer_deadline_ms = deadline_ms}));
    NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
    if (sum->Describe() == "peer memory") return Unavailable("no NCCL");
    const int64_t count = cuda::kSumFloats + 1;
    DeviceArray<float> x(*backend, std::vector<float>(count));
    const auto step = [&] { return sum->AllReduceSum(x.data(), count); };
    for (int i = 0; i < 3; ++i) NEMO_RETURN_IF_ERROR(backend->Repeat(1, step));
    NEMO_RETURN_IF_ERROR(backend->Synchronize());
    NEMO_RETURN_IF_ERROR(group.Barrier());
    if (group.rank() == 0) {
      NEMO_RETURN_IF_ERROR(backend->Repeat(1, step));
      ExpectSays(backend->Synchronize(), Format("sums over ranks: waited {} ms", deadline_ms));
    }
    return group.Barrier();
  });
}

TEST(SendsBetweenDevices, WantsADeviceAndNcclForEachRank) {
  const auto fact = [](char device, uint8_t has_nccl = 1) {
    cuda::LinkFacts facts;
    facts.device[0] = device;
    facts.has_nccl = has_nccl;
    return facts;
  };
  const std::vector<cuda::LinkFacts> apart = {fact('a'), fact('b'), fact('c')},
                                     shared = {fact('a'), fact('b'), fact('a')},
                                     without = {fact('a'), fact('b', 0)};
  EXPECT_TRUE(cuda::SendsBetweenDevices(apart));
  EXPECT_FALSE(cuda::SendsBetweenDevices(shared));
  EXPECT_FALSE(cuda::SendsBetweenDevices(without));
}

}  // namespace
}  // namespace nemo::testing
