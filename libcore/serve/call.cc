#include "libcore/serve/call.h"

namespace nemo {

std::vector<CallNews> Call::TakeNews(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return !news_.empty() || failure_.has_value(); });
  backlog_bytes_ = 0;
  return std::exchange(news_, {});
}

std::optional<CallFailure> Call::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Call::Tell(int64_t index, const TokenEvent& event) {
  const std::lock_guard lock(mutex_);
  ++num_tokens_;
  if (!first_token_) first_token_ = Clock::now();
  if (!wants_tokens_ || failure_) return;
  backlog_bytes_ +=
      static_cast<int64_t>(sizeof(CallNews) + event.text.size() + event.top_logprobs.size_bytes());
  if (backlog_bytes_ > max_backlog_bytes_) {
    failure_ = CallFailure{kHasLeft, "the client does not read its answer"};
    is_given_up_ = true;
    changed_.notify_one();
    return;
  }
  news_.push_back({.index = index,
                   .token_id = event.token_id,
                   .text = std::string(event.text),
                   .logprob = event.logprob,
                   .top_logprobs = {event.top_logprobs.begin(), event.top_logprobs.end()},
                   .result = std::nullopt});
  changed_.notify_one();
}

void Call::Tell(int64_t index, GenerateResult result) {
  const std::lock_guard lock(mutex_);
  CallNews& news = news_.emplace_back();
  news.index = index;
  news.result = std::move(result);
  changed_.notify_one();
}

void Call::Fail(CallFailure failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  changed_.notify_one();
}

std::optional<double> Call::first_token_seconds() const {
  const std::lock_guard lock(mutex_);
  return first_token_ ? std::optional(SecondsSince(*first_token_)) : std::nullopt;
}

std::optional<double> Call::queue_seconds() const {
  const std::lock_guard lock(mutex_);
  return started_ ? std::optional(SecondsSince(*started_)) : std::nullopt;
}

void Call::MarkStarted() {
  const std::lock_guard lock(mutex_);
  if (!started_) started_ = Clock::now();
}

int64_t Call::num_tokens() const {
  const std::lock_guard lock(mutex_);
  return num_tokens_;
}

}  // namespace nemo
