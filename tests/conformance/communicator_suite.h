// What every communicator must do, whatever carries its messages. A case runs a function on all
// ranks of a world, or on this process's rank of one.
#pragma once

#include <algorithm>
#include <bit>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/runtime/communicator.h"

namespace nemo::testing {

struct CommunicatorCase {
  std::string name;
  std::function<Status(const std::function<Status(Communicator&)>&)> run;
};

inline std::string CommunicatorCaseName(const ::testing::TestParamInfo<CommunicatorCase>& info) {
  return info.param.name;
}

class CommunicatorSuite : public ::testing::TestWithParam<CommunicatorCase> {
 protected:
  /// Runs `body` on all ranks; it must succeed on each.
  void Run(const std::function<Status(Communicator&)>& body) {
    const Status status = GetParam().run(body);
    EXPECT_TRUE(status.ok()) << status.message();
  }
};

/// What rank `rank` brings to a sum.
inline std::vector<float> PartOf(int rank, int64_t count) {
  std::mt19937 random(rank + 1);
  std::normal_distribution<float> normal(0.0f, 100.0f);
  std::vector<float> part(count);
  for (float& v : part) v = normal(random);
  return part;
}

/// The sum in the order the contract gives: a tree of neighbours, or rank by rank.
inline std::vector<float> ExpectedSum(int size, int64_t count) {
  std::vector<std::vector<float>> parts;
  for (int rank = 0; rank < size; ++rank) parts.push_back(PartOf(rank, count));
  const bool is_tree = std::has_single_bit(static_cast<unsigned>(size));
  while (parts.size() > 1) {
    std::vector<std::vector<float>> next;
    for (size_t i = 0; i < parts.size(); i += 2) {
      if (i == 0 || is_tree) {
        next.push_back(parts[i]);
        for (int64_t j = 0; j < count; ++j) next.back()[j] += parts[i + 1][j];
      } else {
        next.insert(next.end(), parts.begin() + i, parts.end());
        break;
      }
    }
    parts = std::move(next);
  }
  return parts.front();
}

TEST_P(CommunicatorSuite, AllReduceAddsInTheOrderOfTheContract) {
  Run([](Communicator& comm) {
    for (int64_t count : {0, 1, 7, 1000}) {
      std::vector<float> data = PartOf(comm.rank(), count);
      NEMO_RETURN_IF_ERROR(comm.AllReduceSum(data));
      EXPECT_EQ(data, ExpectedSum(comm.size(), count)) << count << " floats";
    }
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, AllReduceOfMoreThanOnePiece) {
  Run([](Communicator& comm) {
    std::vector<float> data((4 << 20) + 5, 1.0f);
    data.back() = static_cast<float>(comm.rank());
    NEMO_RETURN_IF_ERROR(comm.AllReduceSum(data));
    EXPECT_EQ(data.front(), comm.size());
    EXPECT_EQ(data[(4 << 20) + 3], comm.size());
    EXPECT_EQ(data.back(), comm.size() * (comm.size() - 1) / 2);
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, AllReduceFlushesDenormalsLikeTheKernels) {
  Run([](Communicator& comm) {
    if (comm.size() == 1) return OkStatus();  // nothing is added
    std::vector<float> data = {1e-40f, comm.rank() == 0 ? 1.5e-38f : 0.0f};
    if (comm.rank() == 1) data[1] = -1.2e-38f;
    NEMO_RETURN_IF_ERROR(comm.AllReduceSum(data));
    EXPECT_EQ(std::bit_cast<uint32_t>(data[0]), 0u);
    EXPECT_EQ(std::bit_cast<uint32_t>(data[1]), 0u);
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, AllGatherPutsPartsInRankOrder) {
  Run([](Communicator& comm) {
    const std::vector<int> mine = {comm.rank(), -comm.rank(), 77};
    std::vector<int> all(3 * comm.size());
    NEMO_RETURN_IF_ERROR(
        comm.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
    for (int rank = 0; rank < comm.size(); ++rank) {
      EXPECT_EQ(all[3 * rank], rank);
      EXPECT_EQ(all[3 * rank + 1], -rank);
      EXPECT_EQ(all[3 * rank + 2], 77);
    }
    return comm.AllGather({}, {});
  });
}

TEST_P(CommunicatorSuite, BroadcastReachesAllFromEveryRoot) {
  Run([](Communicator& comm) {
    for (int root = 0; root < comm.size(); ++root) {
      std::vector<int> data(1000, comm.rank() == root ? 42 + root : 0);
      NEMO_RETURN_IF_ERROR(comm.Broadcast(std::as_writable_bytes(std::span(data)), root));
      EXPECT_EQ(data, std::vector<int>(1000, 42 + root)) << "root " << root;
    }
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, MessagesArriveInOrderAndWhole) {
  Run([](Communicator& comm) {
    // Even ranks send to the next rank and hear back; sizes from nothing to beyond any eager limit.
    const int peer = comm.rank() ^ 1;
    if (peer >= comm.size()) return OkStatus();
    for (size_t size : {0, 1, 4096, 3'000'000}) {
      std::vector<std::byte> data(size, std::byte{5});
      std::vector<std::byte> back(size);
      if (comm.rank() < peer) {
        NEMO_RETURN_IF_ERROR(comm.Send(data, peer));
        NEMO_RETURN_IF_ERROR(comm.Recv(back, peer));
        EXPECT_EQ(back, std::vector<std::byte>(size, std::byte{6}));
      } else {
        NEMO_RETURN_IF_ERROR(comm.Recv(back, peer));
        EXPECT_EQ(back, data);
        NEMO_RETURN_IF_ERROR(comm.Send(std::vector<std::byte>(size, std::byte{6}), peer));
      }
    }
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, PostedMessagesWaitForTheirReceiverInOrder) {
  Run([](Communicator& comm) {
    // Both sides leave everything before they look for anything, which Send could not.
    const int peer = comm.rank() ^ 1;
    if (peer >= comm.size()) return comm.Barrier();
    const std::vector<size_t> sizes = {3, 0, 3'000'000, 1, 4096};
    for (size_t i = 0; i < sizes.size(); ++i) {
      std::vector<std::byte> data(sizes[i], static_cast<std::byte>(i));
      NEMO_RETURN_IF_ERROR(comm.Post(data, peer));
    }
    const std::byte last{77};
    if (comm.rank() < peer) NEMO_RETURN_IF_ERROR(comm.Send(std::span(&last, 1), peer));
    for (size_t i = 0; i < sizes.size(); ++i) {
      std::vector<std::byte> data(sizes[i]);
      NEMO_RETURN_IF_ERROR(comm.Recv(data, peer));
      EXPECT_EQ(data, std::vector<std::byte>(sizes[i], static_cast<std::byte>(i)));
    }
    std::byte after{};
    if (comm.rank() > peer) NEMO_RETURN_IF_ERROR(comm.Recv(std::span(&after, 1), peer));
    EXPECT_EQ(after, comm.rank() > peer ? last : std::byte{});
    return comm.Barrier();
  });
}

TEST_P(CommunicatorSuite, ManyOperationsFollowEachOther) {
  Run([](Communicator& comm) {
    for (int i = 0; i < 200; ++i) {
      std::vector<float> one = {1.0f};
      NEMO_RETURN_IF_ERROR(comm.AllReduceSum(one));
      EXPECT_EQ(one[0], comm.size());
      NEMO_RETURN_IF_ERROR(comm.Barrier());
    }
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, SplitMakesGroupsOrderedByKey) {
  Run([](Communicator& comm) {
    const int color = comm.rank() % 2;
    NEMO_ASSIGN_OR_RETURN(const auto half, comm.Split(color, -comm.rank()));
    const int expected_size = (comm.size() + 1 - color) / 2;
    EXPECT_EQ(half->size(), expected_size);
    EXPECT_EQ(half->rank(), expected_size - 1 - comm.rank() / 2) << "a falling key turns the order";
    std::vector<int> ranks(half->size());
    const int mine = comm.rank();
    NEMO_RETURN_IF_ERROR(half->AllGather(std::as_bytes(std::span(&mine, 1)),
                                         std::as_writable_bytes(std::span(ranks))));
    for (int i = 0; i < half->size(); ++i) {
      EXPECT_EQ(ranks[i], color + 2 * (expected_size - 1 - i));
    }
    // Groups of groups, and both at work in turn.
    NEMO_ASSIGN_OR_RETURN(const auto alone, half->Split(half->rank(), 0));
    EXPECT_EQ(alone->size(), 1);
    std::vector<float> one = {1.0f};
    NEMO_RETURN_IF_ERROR(alone->AllReduceSum(one));
    NEMO_RETURN_IF_ERROR(half->AllReduceSum(one));
    NEMO_RETURN_IF_ERROR(comm.AllReduceSum(one));
    const int odd = comm.size() / 2, even = comm.size() - odd;
    EXPECT_EQ(one[0], even * even + odd * odd);
    return OkStatus();
  });
}

TEST_P(CommunicatorSuite, RefusesPeersAndSizesThatCannotBe) {
  Run([](Communicator& comm) {
    std::vector<std::byte> data(4);
    const auto code = [](const Status& status) { return status.code(); };
    EXPECT_EQ(code(comm.Send(data, comm.rank())), StatusCode::kInvalidArgument);
    EXPECT_EQ(code(comm.Send(data, comm.size())), StatusCode::kInvalidArgument);
    EXPECT_EQ(code(comm.Recv(data, -1)), StatusCode::kInvalidArgument);
    EXPECT_EQ(code(comm.Broadcast(data, comm.size())), StatusCode::kInvalidArgument);
    EXPECT_EQ(code(comm.AllGather(data, std::span(data).first(3))), StatusCode::kInvalidArgument);
    return comm.Barrier();
  });
}

}  // namespace nemo::testing
