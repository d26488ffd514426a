#include "kernels/cpu/worker_pool.h"

#include <algorithm>
#include <chrono>

#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than the gap between two kernels of a layer, shorter than what a scheduler hands out.
constexpr std::chrono::microseconds kSpinTime{50};

void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Returns once `ready`, or when the time to spin is over.
template <typename Ready>
bool SpinUntil(const Ready& ready) {
  constexpr int kSpinsPerLook = 32;  // at the clock
  const Clock::time_point end = Clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kSpinsPerLook; ++i) {
      if (ready()) return true;
      Relax();
    }
  } while (Clock::now() < end);
  return false;
}

}  // namespace

WorkerPool::WorkerPool(int num_threads) {
  NEMO_CHECK(num_threads >= 1);
  workers_.reserve(num_threads - 1);
  for (int thread = 1; thread < num_threads; ++thread) {
    workers_.emplace_back([this, thread] { WorkerLoop(thread); });
  }
}

WorkerPool::~WorkerPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkerPool::Run(int64_t count, Function function, const void* context) {
  if (workers_.empty() || count <= 1) {
    for (int64_t index = 0; index < count; ++index) function(context, index, 0);
    return;
  }
  function_ = function;
  context_ = context;
  count_ = count;
  unfinished_.store(count, std::memory_order_relaxed);
  left_.store(count, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  TakeRuns(0);
  const auto done = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (SpinUntil(done)) return;
  // Whoever does the last index changes finished_ afterwards, perhaps not before the next loop has
  // begun: that one looks again.
  for (;;) {
    const int32_t seen = finished_.load(std::memory_order_acquire);
    if (done()) return;
    finished_.wait(seen, std::memory_order_acquire);
  }
}

void WorkerPool::WorkerLoop(int thread) {
  const FlushDenormals flush;
  for (int32_t seen = 0; !stop_.load(std::memory_order_relaxed);) {
    const auto begun = [this, seen] { return generation_.load(std::memory_order_acquire) != seen; };
    if (!SpinUntil(begun)) generation_.wait(seen, std::memory_order_acquire);
    seen = generation_.load(std::memory_order_acquire);
    TakeRuns(thread);
  }
}

void WorkerPool::TakeRuns(int thread) {
  // Long runs first, so that a thread walks through neighbouring memory; short ones in the end, so
  // that all threads end together.
  const int64_t runs_of_rest = 4 * num_threads();
  int64_t left = left_.load(std::memory_order_relaxed);
  while (left > 0) {
    const int64_t size = std::max<int64_t>(1, left / runs_of_rest);
    // Only who takes indices may look at the loop: without them it may be over, and another begun.
    if (!left_.compare_exchange_weak(left, left - size, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      continue;
    }
    const int64_t begin = count_ - left;
    for (int64_t index = begin; index < begin + size; ++index) function_(context_, index, thread);
    if (unfinished_.fetch_sub(size, std::memory_order_acq_rel) == size) {
      finished_.fetch_add(1, std::memory_order_release);
      finished_.notify_all();
    }
    left = left_.load(std::memory_order_relaxed);
  }
}

}  // namespace nemo::cpu
