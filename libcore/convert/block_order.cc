#include "libcore/convert/block_order.h"

#include <algorithm>
#include <utility>

namespace nemo {

void BlockOrder::Add(const std::vector<int64_t>& lanes) {
  const auto ticket = std::ssize(before_);
  std::vector<int64_t>& before = before_.emplace_back();
  for (const int64_t lane : lanes) {
    const auto [last, is_first] = last_of_lane_.try_emplace(lane, ticket);
    if (!is_first) before.push_back(std::exchange(last->second, ticket));
  }
  passed_.push_back(false);
}

Status BlockOrder::Pass(int64_t ticket, const std::function<Status()>& pass) {
  const std::vector<int64_t>& before = before_[static_cast<size_t>(ticket)];
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto is_free = [&] {
      return std::all_of(before.begin(), before.end(),
                         [&](int64_t other) { return passed_[static_cast<size_t>(other)]; });
    };
    changed_.wait(lock, [&] { return first_failed_ < ticket || is_free(); });
    if (!is_free()) return IoError("a block before this one failed");
  }
  NEMO_RETURN_IF_ERROR(pass());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    passed_[static_cast<size_t>(ticket)] = true;
  }
  changed_.notify_all();
  return OkStatus();
}

void BlockOrder::Fail(int64_t ticket) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    first_failed_ = std::min(first_failed_, ticket);
  }
  changed_.notify_all();
}

}  // namespace nemo
