// Call: the requests of one HTTP request on their way through the model, and what is heard of them.
// The thread of the connection waits for news; the thread of the serve loop brings them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libcore/runtime/request.h"
#include "libcore/runtime/request_runner.h"

namespace nemo {

/// Of one request of a call: a token, or its result.
struct CallNews {
  int64_t index = 0;
  int32_t token_id = 0;
  std::string text;
  double logprob = 0;
  std::vector<TokenLogprob> top_logprobs;
  std::optional<GenerateResult> result;
};

/// Why a call has no answer, as an HTTP status and words.
struct CallFailure {
  int http_status = 500;
  std::string message;
};

/// Thread-safe.
class Call {
 public:
  using Clock = std::chrono::steady_clock;

  /// As others log it; nobody is there to read it.
  static constexpr int kHasLeft = 499;
  /// Of news that were not taken: a client who is so far behind does not read.
  static constexpr int64_t kMaxBacklogBytes = int64_t{16} << 20;

  Call(std::vector<GenerateRequest> requests, bool wants_tokens,
       int64_t max_backlog_bytes = kMaxBacklogBytes)
      : requests_(std::move(requests)),
        wants_tokens_(wants_tokens),
        max_backlog_bytes_(max_backlog_bytes) {}

  const std::vector<GenerateRequest>& requests() const { return requests_; }
  /// Whether tokens are told, or results alone.
  bool wants_tokens() const { return wants_tokens_; }
  Clock::time_point created() const { return created_; }

  // Of the connection's thread.

  /// What has happened since the last call, in order; waits for it until `until`. Empty: nothing.
  std::vector<CallNews> TakeNews(Clock::time_point until);
  std::optional<CallFailure> failure() const;
  /// Nobody waits for the answer; what runs of it stops with the next turn.
  void GiveUp() { is_given_up_ = true; }

  // Of the serve loop's.

  bool is_given_up() const { return is_given_up_; }
  /// Tokens that nobody takes are kept up to a limit; then the call is given up.
  void Tell(int64_t index, const TokenEvent& event);
  void Tell(int64_t index, GenerateResult result);
  void Fail(CallFailure failure);

  // For metrics and log.

  /// From the call to its first token; nullopt when there was none.
  std::optional<double> first_token_seconds() const;
  /// From the call to the step that took its first request; nullopt: none did.
  std::optional<double> queue_seconds() const;
  void MarkStarted();
  int64_t num_tokens() const;

 private:
  double SecondsSince(Clock::time_point time) const {
    return std::chrono::duration<double>(time - created_).count();
  }

  const std::vector<GenerateRequest> requests_;
  const bool wants_tokens_;
  const int64_t max_backlog_bytes_;
  const Clock::time_point created_ = Clock::now();
  std::atomic<bool> is_given_up_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<CallNews> news_;
  std::optional<CallFailure> failure_;
  std::optional<Clock::time_point> started_, first_token_;
  int64_t num_tokens_ = 0, backlog_bytes_ = 0;
};

}  // namespace nemo
