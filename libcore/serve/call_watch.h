// CallWatch: waits for a call on behalf of a client, as long as the client waits too.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "libcore/serve/call.h"
#include "libcore/serve/request_queue.h"

namespace nemo {

/// Of one connection's thread. Leaves the queue when it goes.
class CallWatch {
 public:
  static constexpr int kTooLate = 504;

  /// `call` is in `queue`. `has_left` tells whether the client has hung up.
  CallWatch(RequestQueue& queue, std::shared_ptr<Call> call, std::function<bool()> has_left,
            std::chrono::seconds limit);
  ~CallWatch() { queue_.Leave(call_); }
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  /// What comes next; empty when the call has failed: by itself, because the client has hung up, or
  /// because time is up. The last two are looked for several times a second, whatever comes.
  std::vector<CallNews> Next();
  /// Why nothing comes any more.
  const std::optional<CallFailure>& failure() const { return failure_; }
  const Call& call() const { return *call_; }

 private:
  std::optional<CallFailure> LookAtTheClient() const;

  RequestQueue& queue_;
  const std::shared_ptr<Call> call_;
  const std::function<bool()> has_left_;
  const std::chrono::seconds limit_;
  std::optional<CallFailure> failure_;
  Call::Clock::time_point next_look_ = Call::Clock::now();
};

/// All results in order, or the failure of `watch`.
std::optional<std::vector<GenerateResult>> TakeResults(CallWatch& watch);

}  // namespace nemo
