#include "libcore/serve/request_queue.h"

namespace nemo {

RequestQueue::Entry RequestQueue::Submit(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return Entry::kClosed;
  if (NumWaiting() >= max_waiting_) Sweep();
  if (NumWaiting() >= max_waiting_) return Entry::kFull;
  waiting_.push_back({call});
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
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    if (first.call->is_given_up()) continue;
    taken.push_back({first.call, first.next++});
    if (first.num_left() > 0) waiting_.push_back(std::move(first));
  }
  return taken;
}

bool RequestQueue::WaitForWork(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, until, [this] { return !waiting_.empty() || is_closed_; });
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
  return NumWaiting();
}

int64_t RequestQueue::NumWaiting() const {
  int64_t count = 0;
  for (const Waiting& waiting : waiting_) count += waiting.num_left();
  return count;
}

int64_t RequestQueue::num_open() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(open_);
}

void RequestQueue::Sweep() {
  std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.call->is_given_up(); });
}

}  // namespace nemo
