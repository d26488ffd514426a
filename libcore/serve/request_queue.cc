#include "libcore/serve/request_queue.h"

namespace nemo {

RequestQueue::Entry RequestQueue::Submit(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return Entry::kClosed;
  if (std::ssize(waiting_) >= max_waiting_) Sweep();
  if (std::ssize(waiting_) >= max_waiting_) return Entry::kFull;
  for (int64_t i = 0; i < std::ssize(call->requests()); ++i) waiting_.push_back({call, i});
  open_.insert(call);
  changed_.notify_one();
  return Entry::kTaken;
}

void RequestQueue::Leave(const std::shared_ptr<Call>& call) {
  call->GiveUp();
  const std::lock_guard lock(mutex_);
  open_.erase(call);
  Sweep();
}

std::vector<RequestQueue::Taken> RequestQueue::Take(int64_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<Taken> taken;
  while (!waiting_.empty() && std::ssize(taken) < limit) {
    Taken next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.call->is_given_up()) taken.push_back(std::move(next));
  }
  return taken;
}

void RequestQueue::WaitForWork(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return !waiting_.empty() || is_closed_; });
}

void RequestQueue::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_one();
}

bool RequestQueue::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

void RequestQueue::Fail(const CallFailure& failure) {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  waiting_.clear();
  for (const std::shared_ptr<Call>& call : open_) {
    call->GiveUp();
    call->Fail(failure);
  }
  changed_.notify_one();
}

int64_t RequestQueue::num_waiting() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(waiting_);
}

int64_t RequestQueue::num_open() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(open_);
}

void RequestQueue::Sweep() {
  std::erase_if(waiting_, [](const Taken& taken) { return taken.call->is_given_up(); });
}

}  // namespace nemo
