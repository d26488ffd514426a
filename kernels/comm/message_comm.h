// The collectives, made of point-to-point messages. What carries the messages (threads of one
// process, MPI) is a class derived from this one; so all transports add in the same order.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

class MessageComm : public Communicator {
 public:
  /// Adds with denormals flushed, as the kernels do, so that a tree of partial sums gives the same
  /// bits inside a rank and across ranks. Long data goes in pieces, which bounds the memory.
  Status AllReduceSum(std::span<float> data) final;
  Status AllGather(std::span<const std::byte> in, std::span<std::byte> out) final;
  Status Broadcast(std::span<std::byte> data, int root) final;
  Status Send(std::span<const std::byte> data, int peer) final;
  Status Recv(std::span<std::byte> data, int peer) final;
  Status Post(std::span<const std::byte> data, int peer) final;
  Status Barrier() final;

 protected:
  using Clock = std::chrono::steady_clock;

  /// One message to `to` and one from `from`, under way at the same time; kNobody: only the other.
  /// Ranks are those of the group.
  static constexpr int kNobody = -1;
  struct Exchange {
    std::string_view operation;  ///< for messages
    Clock::time_point deadline;
    int to = kNobody;
    std::span<const std::byte> out;
    int from = kNobody;
    std::span<std::byte> in;
  };

  explicit MessageComm(int64_t deadline_ms) : deadline_ms_(deadline_ms) {}
  /// Returns when both messages are through. On any failure, the deadline included, the world is
  /// aborted.
  virtual Status Transfer(const Exchange& exchange) = 0;
  /// Copies `data` and returns; see Communicator::Post.
  virtual Status Leave(std::span<const std::byte> data, int peer) = 0;
  /// kUnavailable once the world was aborted.
  virtual Status CheckAlive() = 0;

  int64_t deadline_ms() const { return deadline_ms_; }
  /// The deadline of an operation that begins now.
  Clock::time_point NewDeadline() const {
    return Clock::now() + std::chrono::milliseconds(deadline_ms_);
  }
  /// "all-reduce: no message from rank 3 within 200 ms": which side of the exchange is missing.
  std::string LateText(const Exchange& exchange, bool sent, int world_rank, int world_peer) const;
  /// The groups that Split makes: positions in this group of the ranks with my color, in their
  /// order.
  Result<std::vector<int>> SplitMembers(int color, int key);

 private:
  Status CheckPeer(std::string_view operation, int peer) const;
  Status ReducePiece(std::span<float> data, Clock::time_point deadline);
  Status ReduceByDoubling(std::span<float> data, Clock::time_point deadline);
  Status ReduceInRankOrder(std::span<float> data, Clock::time_point deadline);
  Status GatherRing(Exchange exchange, std::span<std::byte> out);

  int64_t deadline_ms_;
  std::vector<float> parts_;  ///< what peers sent to an all-reduce
};

}  // namespace nemo
