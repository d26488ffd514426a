// RequestQueue: between the connections, which bring calls, and the serve loop, which takes their
// requests one by one when the model has room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "libcore/serve/call.h"

namespace nemo {

/// Thread-safe.
class RequestQueue {
 public:
  enum class Entry {
    kTaken,
    kFull,    ///< too many wait
    kClosed,  ///< the server ends
  };
  /// A request of a call that the loop is to run.
  struct Taken {
    std::shared_ptr<Call> call;
    int64_t index = 0;
  };

  /// `max_waiting` requests may wait. A call is taken whole when one more may, so that a call of
  /// many requests is not refused for ever.
  explicit RequestQueue(int64_t max_waiting) : max_waiting_(max_waiting) {}

  // Of the connections.

  Entry Submit(const std::shared_ptr<Call>& call);
  /// The call has its answer, or nobody waits for it any more.
  void Leave(const std::shared_ptr<Call>& call);

  // Of the serve loop.

  /// Up to `limit` requests. Calls take turns, first come, first served, so that a call of many
  /// requests does not keep the others waiting; calls given up are dropped.
  std::vector<Taken> Take(int64_t limit);
  /// Waits until a request waits or the queue is closed. False: neither until `until`.
  bool WaitForWork(std::chrono::steady_clock::time_point until);

  // Of both.

  /// Nothing more is taken in; what is there is worked on.
  void Close();
  bool is_closed() const;
  /// Closes, and everything open fails.
  void Fail(const CallFailure& failure);
  int64_t num_waiting() const;  ///< requests
  int64_t num_open() const;     ///< calls without an answer

 private:
  /// A call with requests that wait.
  struct Waiting {
    std::shared_ptr<Call> call;
    int64_t next = 0;
    int64_t num_left() const { return std::ssize(call->requests()) - next; }
  };

  // With the lock held.
  void Sweep();  ///< drops what nobody waits for
  int64_t NumWaiting() const;

  const int64_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::set<std::shared_ptr<Call>> open_;
  bool is_closed_ = false;
};

}  // namespace nemo
