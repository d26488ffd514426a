#include "libcore/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

namespace nemo {

Status ParallelFor(int num_threads, int64_t count, const std::function<Status(int64_t)>& body) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  int64_t first_failed = count;
  Status first_error;

  const auto work = [&] {
    while (!failed.load(std::memory_order_relaxed)) {
      const int64_t index = next.fetch_add(1);
      if (index >= count) return;
      Status status = body(index);
      if (status.ok()) continue;
      failed = true;
      const std::lock_guard<std::mutex> lock(mutex);
      if (index < first_failed) {
        first_failed = index;
        first_error = std::move(status);
      }
    }
  };

  const int64_t helpers = std::clamp<int64_t>(std::min<int64_t>(num_threads, count) - 1, 0, 1023);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(helpers));
  for (int64_t i = 0; i < helpers; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return first_error;
}

int AvailableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace nemo
