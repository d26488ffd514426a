#include "kernels/comm/thread_comm.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <sched.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/comm/doorbell.h"
#include "kernels/comm/message_comm.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

/// What all groups of one world share.
class World {
 public:
  explicit World(int size)
      : bells_(size), num_yields_(size > NumCores() ? kYieldsWhenCrowded : kYields) {}

  void Abort(const std::string& reason) {
    {
      const std::lock_guard lock(mutex_);
      if (is_aborted_.load(std::memory_order_relaxed)) return;
      reason_ = reason;
      is_aborted_.store(true, std::memory_order_release);
    }
    for (Doorbell& bell : bells_) bell.Ring();
  }
  Status CheckAlive() {
    if (!is_aborted_.load(std::memory_order_acquire)) return OkStatus();
    const std::lock_guard lock(mutex_);
    return Unavailable(reason_);
  }
  Doorbell& BellOf(int rank) { return bells_[rank]; }
  /// How often a rank that waits offers its core to others before it sleeps.
  int num_yields() const { return num_yields_; }

 private:
  static constexpr int kYields = 2000;  // about a millisecond: longer than a small message takes
  /// With more ranks than cores the peer may be one that waits for this core, behind others that
  /// only wait as well.
  static constexpr int kYieldsWhenCrowded = 2;

  static int NumCores() { return static_cast<int>(std::thread::hardware_concurrency()); }

  std::vector<Doorbell> bells_;
  int num_yields_;
  std::atomic<bool> is_aborted_{false};
  std::mutex mutex_;
  std::string reason_;
};

/// A message lies on the sender's stack until the receiver has copied it or the sender takes it
/// back.
struct Message {
  std::span<const std::byte> data;
  std::atomic<bool> is_done{false};
};

/// Messages that were posted from one rank to another and not received yet.
struct Mailbox {
  std::mutex mutex;
  std::list<std::vector<std::byte>> messages;
  std::atomic<size_t> size{0};
};

class Group {
 public:
  Group(std::shared_ptr<World> world, std::vector<int> world_ranks)
      : world_(std::move(world)),
        world_ranks_(std::move(world_ranks)),
        slots_(world_ranks_.size() * world_ranks_.size()),
        mailboxes_(world_ranks_.size() * world_ranks_.size()),
        has_left_(world_ranks_.size()) {}

  World& world() { return *world_; }
  int size() const { return static_cast<int>(world_ranks_.size()); }
  int WorldRank(int rank) const { return world_ranks_[rank]; }
  std::atomic<Message*>& Slot(int from, int to) { return slots_[from * size() + to]; }
  Mailbox& MailboxOf(int from, int to) { return mailboxes_[from * size() + to]; }
  bool HasLeft(int rank) { return has_left_[rank].load(std::memory_order_acquire); }
  void Leave(int rank) {
    has_left_[rank].store(true, std::memory_order_release);
    for (int peer = 0; peer < size(); ++peer) BellOf(peer).Ring();
  }
  Doorbell& BellOf(int rank) { return world_->BellOf(WorldRank(rank)); }

  /// The group of `members` (ranks of this one) that the `index`-th Split makes for `color`: the
  /// first member to come creates it, the last takes it out of the table.
  std::shared_ptr<Group> Child(int64_t index, int color, const std::vector<int>& members) {
    const std::lock_guard lock(mutex_);
    auto& [group, num_taken] = children_[{index, color}];
    if (group == nullptr) {
      std::vector<int> world_ranks;
      for (int member : members) world_ranks.push_back(WorldRank(member));
      group = std::make_shared<Group>(world_, std::move(world_ranks));
    }
    std::shared_ptr<Group> child = group;
    if (++num_taken == members.size()) children_.erase({index, color});
    return child;
  }

 private:
  std::shared_ptr<World> world_;
  std::vector<int> world_ranks_;
  std::vector<std::atomic<Message*>> slots_;
  std::vector<Mailbox> mailboxes_;
  std::vector<std::atomic<bool>> has_left_;
  std::mutex mutex_;
  std::map<std::pair<int64_t, int>, std::pair<std::shared_ptr<Group>, size_t>> children_;
};

class ThreadComm final : public MessageComm {
 public:
  ThreadComm(std::shared_ptr<Group> group, int rank, int64_t deadline_ms)
      : MessageComm(deadline_ms), group_(std::move(group)), rank_(rank) {}
  ~ThreadComm() override { group_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  void Abort(const std::string& reason) override { group_->world().Abort(reason); }

  Result<std::unique_ptr<Communicator>> Split(int color, int key) override {
    NEMO_ASSIGN_OR_RETURN(const std::vector<int> members, SplitMembers(color, key));
    std::shared_ptr<Group> child = group_->Child(num_splits_++, color, members);
    const int rank =
        static_cast<int>(std::find(members.begin(), members.end(), rank_) - members.begin());
    return std::unique_ptr<Communicator>(
        std::make_unique<ThreadComm>(std::move(child), rank, deadline_ms()));
  }

 protected:
  Status CheckAlive() override { return group_->world().CheckAlive(); }

  Status Leave(std::span<const std::byte> data, int peer) override {
    Mailbox& mailbox = group_->MailboxOf(rank_, peer);
    {
      const std::lock_guard lock(mailbox.mutex);
      mailbox.messages.emplace_back(data.begin(), data.end());
      mailbox.size.fetch_add(1, std::memory_order_release);
    }
    group_->BellOf(peer).Ring();
    return OkStatus();
  }

  Status Transfer(const Exchange& exchange) override {
    Message message{.data = exchange.out};
    bool sent = exchange.to == kNobody;
    bool received = exchange.from == kNobody;
    if (!sent) {
      group_->Slot(rank_, exchange.to).store(&message, std::memory_order_release);
      group_->BellOf(exchange.to).Ring();
    }
    Doorbell& bell = group_->BellOf(rank_);
    Status status = CheckAlive();
    for (int num_looks = 0; status.ok() && !(sent && received); ++num_looks) {
      const uint32_t rings = bell.rings();
      // Whether the peers have left is asked first: what they did before they left is then visible,
      // and a peer that has left with its part done is none to wait for.
      const bool receiver_left = HasLeft(exchange.to);
      const bool sender_left = HasLeft(exchange.from);
      if (!received) status = TryReceive(exchange, received);
      if (!sent) sent = message.is_done.load(std::memory_order_acquire);
      if (!status.ok() || (sent && received)) break;
      if (!received && sender_left) {
        status = FailForGood(exchange, exchange.from);
      } else if (!sent && receiver_left) {
        status = FailForGood(exchange, exchange.to);
      } else {
        status = CheckWait(exchange, received);
      }
      if (!status.ok()) break;
      if (num_looks < group_->world().num_yields()) {
        sched_yield();
      } else {
        bell.SleepUntilRung(rings, exchange.deadline);
      }
    }
    if (!sent) TakeBack(exchange.to, message);
    return status;
  }

 private:
  bool HasLeft(int peer) { return peer != kNobody && group_->HasLeft(peer); }

  Status FailForGood(const Exchange& exchange, int peer) {
    return Fail(
        Format("{}: a peer of rank {} left the group before the operation was done (rank {})",
               exchange.operation, WorldRank(rank_), WorldRank(peer)));
  }

  /// Copies the next message if it is there. A sender posts nothing while its Send lasts, so where
  /// there is something of both kinds, what was posted came first.
  Status TryReceive(const Exchange& exchange, bool& received) {
    std::atomic<Message*>& slot = group_->Slot(exchange.from, rank_);
    const bool is_sent = slot.load(std::memory_order_acquire) != nullptr;
    Mailbox& mailbox = group_->MailboxOf(exchange.from, rank_);
    if (mailbox.size.load(std::memory_order_acquire) > 0) {
      std::list<std::vector<std::byte>> first;
      {
        const std::lock_guard lock(mailbox.mutex);
        first.splice(first.end(), mailbox.messages, mailbox.messages.begin());
        mailbox.size.fetch_sub(1, std::memory_order_relaxed);
      }
      received = true;
      return Copy(exchange, first.front());
    }
    Message* message = is_sent ? slot.exchange(nullptr, std::memory_order_acquire) : nullptr;
    if (message == nullptr) return OkStatus();
    const Status status = Copy(exchange, message->data);
    // From here on it is the sender's again.
    message->is_done.store(true, std::memory_order_release);
    group_->BellOf(exchange.from).Ring();
    received = true;
    return status;
  }

  Status Copy(const Exchange& exchange, std::span<const std::byte> message) {
    if (message.size() != exchange.in.size()) {
      return Fail(Format(
          "{}: rank {} expected {} bytes and rank {} sent {}; their programs or layouts differ",
          exchange.operation, WorldRank(rank_), exchange.in.size(), WorldRank(exchange.from),
          message.size()));
    }
    if (!message.empty()) std::memcpy(exchange.in.data(), message.data(), message.size());
    return OkStatus();
  }

  /// Whether waiting on still makes sense.
  Status CheckWait(const Exchange& exchange, bool received) {
    NEMO_RETURN_IF_ERROR(CheckAlive());
    if (Clock::now() < exchange.deadline) return OkStatus();
    const int peer = WorldRank(received ? exchange.to : exchange.from);
    return Fail(LateText(exchange, !received, WorldRank(rank_), peer));
  }

  Status Fail(const std::string& reason) {
    Abort(reason);
    return CheckAlive();
  }

  /// Makes sure that nobody reads the message any more.
  void TakeBack(int to, Message& message) {
    Message* expected = &message;
    if (group_->Slot(rank_, to).compare_exchange_strong(expected, nullptr)) return;
    while (!message.is_done.load(std::memory_order_acquire)) sched_yield();  // a copy is under way
  }

  int WorldRank(int rank) const { return group_->WorldRank(rank); }

  std::shared_ptr<Group> group_;
  int rank_;
  int64_t num_splits_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeThreadGroup(int size, const CommOptions& options) {
  NEMO_CHECK(size >= 1);
  std::vector<int> ranks(size);
  for (int rank = 0; rank < size; ++rank) ranks[rank] = rank;
  const auto group = std::make_shared<Group>(std::make_shared<World>(size), std::move(ranks));
  std::vector<std::unique_ptr<Communicator>> comms;
  for (int rank = 0; rank < size; ++rank) {
    comms.push_back(std::make_unique<ThreadComm>(group, rank, options.deadline_ms));
  }
  return comms;
}

std::unique_ptr<Communicator> MakeSelf() { return std::move(MakeThreadGroup(1).front()); }

}  // namespace nemo
