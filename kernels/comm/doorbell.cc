#include "kernels/comm/doorbell.h"

#include <algorithm>
#include <climits>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nemo {
namespace {

// std::atomic can wait and notify, but not wait until a deadline.
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

long Futex(std::atomic<uint32_t>* word, int operation, uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

}  // namespace

// Either the ringer sees that somebody is going to sleep, or that one's system call sees the ring:
// both write first, and then read what the other wrote, in one order for all (seq_cst).
void Doorbell::Ring() {
  rings_.fetch_add(1, std::memory_order_seq_cst);
  if (num_sleepers_.load(std::memory_order_seq_cst) == 0) return;
  Futex(&rings_, FUTEX_WAKE, INT_MAX, nullptr);
}

void Doorbell::SleepUntilRung(uint32_t seen, Clock::time_point deadline) {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const nanoseconds left = std::max<nanoseconds>(deadline - Clock::now(), nanoseconds(0));
  const seconds whole = std::chrono::duration_cast<seconds>(left);
  const timespec timeout{.tv_sec = whole.count(), .tv_nsec = (left - whole).count()};
  num_sleepers_.fetch_add(1, std::memory_order_seq_cst);
  Futex(&rings_, FUTEX_WAIT, seen, &timeout);
  num_sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace nemo
