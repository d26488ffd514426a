// The suite for threads, or, when mpirun started this program, for MPI; then what happens when
// ranks fail.
#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/peer_watch.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "tests/conformance/communicator_suite.h"

namespace nemo::testing {
namespace {

std::vector<CommunicatorCase> Cases() {
  std::vector<CommunicatorCase> cases;
  if (LaunchedByMpi()) {
    cases.push_back({"mpi", [](const std::function<Status(Communicator&)>& body) -> Status {
                       NEMO_ASSIGN_OR_RETURN(auto world, MakeMpiWorld({.deadline_ms = 60'000}));
                       return body(*world);
                     }});
    return cases;
  }
  cases.push_back(
      {"self", [](const std::function<Status(Communicator&)>& body) { return body(*MakeSelf()); }});
  for (int size : {1, 2, 3, 4, 8}) {
    cases.push_back(
        {Format("{}_threads", size), [size](const std::function<Status(Communicator&)>& body) {
           return RunRanks(size, body, {.deadline_ms = 60'000});
         }});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Comm, CommunicatorSuite, ::testing::ValuesIn(Cases()),
                         CommunicatorCaseName);

bool Contains(const Status& status, std::string_view text) {
  return status.message().find(text) != std::string::npos;
}

TEST(RunRanks, ReturnsTheErrorOfTheRankThatFailedAndWakesTheOthers) {
  std::atomic<int> num_woken{0};
  const Status status = RunRanks(4, [&](Communicator& comm) {
    if (comm.rank() == 2) return Corruption("weights are damaged");
    const Status barrier = comm.Barrier();
    EXPECT_EQ(barrier.code(), StatusCode::kUnavailable);
    EXPECT_TRUE(Contains(barrier, "rank 2: weights are damaged")) << barrier.message();
    ++num_woken;
    return OkStatus();
  });
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_EQ(status.message(), "rank 2: weights are damaged");
  EXPECT_EQ(num_woken, 3);
}

TEST(RunRanks, RefusesAWorldWithoutRanks) {
  EXPECT_EQ(RunRanks(0, [](Communicator&) { return OkStatus(); }).code(),
            StatusCode::kInvalidArgument);
}

TEST(ThreadComm, ALateRankEndsTheWorldAndTheMessageNamesIt) {
  std::atomic<int> num_ended{0};
  const Status status = RunRanks(4,
                                 [&](Communicator& comm) {
                                   if (comm.rank() == 3) {  // late until the others have given up
                                     while (num_ended < 3)
                                       std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                   }
                                   std::vector<float> data(8);
                                   const Status reduced = comm.AllReduceSum(data);
                                   EXPECT_EQ(reduced.code(), StatusCode::kUnavailable);
                                   EXPECT_TRUE(Contains(reduced, "all-reduce: rank "))
                                       << reduced.message();
                                   ++num_ended;
                                   return reduced;
                                 },
                                 {.deadline_ms = 50});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "50 ms")) << status.message();
}

TEST(ThreadComm, AMissingPeerIsNamedByItsRankInTheWorld) {
  std::atomic<bool> has_given_up{false};
  const Status status =
      RunRanks(4,
               [&](Communicator& comm) -> Status {
                 NEMO_ASSIGN_OR_RETURN(const auto pair, comm.Split(comm.rank() / 2, 0));
                 std::byte data{};
                 if (comm.rank() == 2) {
                   const Status received = pair->Recv(std::span(&data, 1), 1);
                   has_given_up = true;
                   return received;
                 }
                 if (comm.rank() == 3) {  // stays, and does not send
                   while (!has_given_up) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                 }
                 return OkStatus();
               },
               {.deadline_ms = 50});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "receive: rank 2 waited 50 ms for rank 3 to send"))
      << status.message();
}

TEST(ThreadComm, ARankThatLeavesEndsTheWaitOfItsPeers) {
  const Status status = RunRanks(3, [&](Communicator& comm) {
    std::byte data{};
    return comm.rank() == 0 ? OkStatus() : comm.Recv(std::span(&data, 1), 0);
  });
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "left the group")) << status.message();
}

TEST(ThreadComm, AMessageSentBeforeLeavingStillArrives) {
  for (int i = 0; i < 100; ++i) {
    const Status status = RunRanks(2, [&](Communicator& comm) {
      std::byte data{9};
      return comm.rank() == 0 ? comm.Send(std::span(&data, 1), 1)
                              : comm.Recv(std::span(&data, 1), 0);
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

TEST(ThreadComm, ARankThatIsDoneMayLeaveWhileItsPeersWaitForOthers) {
  // In a ring the receiver of a rank can be done before the rank's own sender is.
  for (int i = 0; i < 500; ++i) {
    const Status status = RunRanks(8, [&](Communicator& comm) {
      const int mine = comm.rank();
      std::vector<int> all(8);
      return comm.AllGather(std::as_bytes(std::span(&mine, 1)),
                            std::as_writable_bytes(std::span(all)));
    });
    ASSERT_TRUE(status.ok()) << "round " << i << ": " << status.message();
  }
}

TEST(ThreadComm, AbortReachesEveryGroupOfTheWorldAndLasts) {
  std::atomic<int> num_split{0};
  const Status status = RunRanks(4, [&](Communicator& comm) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto pair, comm.Split(comm.rank() / 2, 0));
    for (++num_split; num_split < 4;) std::this_thread::yield();
    if (comm.rank() == 0) comm.Abort("out of memory");
    const Status first = comm.rank() == 0 ? comm.Barrier() : pair->Barrier();
    // The pair of ranks 2 and 3 may still have met before the abort.
    const Status second = comm.Barrier();
    EXPECT_EQ(second.code(), StatusCode::kUnavailable);
    EXPECT_EQ(second.message(), "out of memory");
    if (comm.rank() < 2) {
      EXPECT_EQ(first.message(), "out of memory");
    }
    EXPECT_EQ(pair->Split(0, 0).error().message(), "out of memory");
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(ThreadComm, ParticipantsThatDisagreeAboutTheSizeAreTold) {
  const Status status = RunRanks(2, [&](Communicator& comm) {
    std::vector<float> data(comm.rank() == 0 ? 8 : 12);
    return comm.AllReduceSum(data);
  });
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "expected")) << status.message();
  EXPECT_TRUE(Contains(status, "48")) << status.message();
}

// The MpiFault tests end their world, so each is a run of mpirun of its own (CMakeLists.txt).

TEST(MpiFault, ALateRankEndsTheWorld) {
  if (!LaunchedByMpi()) GTEST_SKIP() << "needs mpirun";
  auto world = MakeMpiWorld({.deadline_ms = 500});
  ASSERT_TRUE(world.has_value()) << world.error().message();
  // Ranks of a busy machine may begin a second or two apart, which is not what makes it late.
  if ((*world)->rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(6));
  const Status status = (*world)->Barrier();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "barrier: rank ")) << status.message();
  EXPECT_EQ((*world)->Split(0, 0).error().message(), status.message()) << "the abort lasts";
}

TEST(MpiFault, RanksThatDisagreeAboutTheSizeAreTold) {
  if (!LaunchedByMpi()) GTEST_SKIP() << "needs mpirun";
  auto world = MakeMpiWorld({.deadline_ms = 20'000});
  ASSERT_TRUE(world.has_value()) << world.error().message();
  std::vector<float> data((*world)->rank() == 0 ? 8 : 12);
  const Status status = (*world)->AllReduceSum(data);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, "expected")) << status.message();
}

/// Run so that the launcher leaves the survivors alone: they must find out themselves.
TEST(MpiFault, AKilledRankEndsTheWorldLongBeforeTheDeadline) {
  if (!LaunchedByMpi()) GTEST_SKIP() << "needs mpirun";
  auto world = MakeMpiWorld({.deadline_ms = 100'000});
  ASSERT_TRUE(world.has_value()) << world.error().message();
  // Everybody has a posted message under way, which must not keep anybody either.
  const std::vector<std::byte> data(1 << 20);
  const int next = ((*world)->rank() + 1) % (*world)->size();
  ASSERT_TRUE((*world)->Post(data, next).ok());
  if ((*world)->rank() == 1) std::raise(SIGKILL);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<float> sum(1000);
  std::vector<std::byte> posted(data.size());
  Status status = (*world)->Recv(posted, ((*world)->rank() + 3) % 4);
  if (status.ok()) status = (*world)->AllReduceSum(sum);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Contains(status, ": rank 1 (process ")) << status.message();
  EXPECT_TRUE(Contains(status, "has died")) << status.message();
}

TEST(PeerWatch, FindsProcessesThatEnded) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (;;) pause();
  }
  PeerWatch watch({{3, child}, {4, getpid()}, {5, 0}, {6, -1}});
  EXPECT_EQ(watch.num_watched(), 1);
  EXPECT_FALSE(watch.FindDead());
  kill(child, SIGKILL);
  std::optional<PeerProcess> dead;
  for (int i = 0; i < 2000 && !dead; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    dead = watch.FindDead();  // a zombie: nobody has waited for it yet
  }
  ASSERT_TRUE(dead);
  EXPECT_EQ(dead->rank, 3);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(PeerWatch({{3, child}}).num_watched(), 0);
}

}  // namespace
}  // namespace nemo::testing
