#include "kernels/cpu/worker_pool.h"

#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

constexpr int kSpins =
    2000;  // a few microseconds: longer than the gap between two kernels of a layer

void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Returns once `value` is no longer `old`.
template <typename T>
void WaitWhile(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    Relax();
  }
  value.wait(old, std::memory_order_acquire);
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
  next_.store(0, std::memory_order_relaxed);
  num_busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  TakeIndices(0);
  for (int busy = num_busy_.load(std::memory_order_acquire); busy != 0;
       busy = num_busy_.load(std::memory_order_acquire)) {
    WaitWhile(num_busy_, busy);
  }
}

void WorkerPool::WorkerLoop(int thread) {
  const FlushDenormals flush;
  for (uint32_t seen = 0;;) {
    WaitWhile(generation_, seen);
    // Every worker checks in to every generation, so none is ever skipped.
    ++seen;
    if (stop_.load(std::memory_order_relaxed)) return;
    TakeIndices(thread);
    if (num_busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) num_busy_.notify_all();
  }
}

void WorkerPool::TakeIndices(int thread) {
  for (int64_t index = next_.fetch_add(1, std::memory_order_relaxed); index < count_;
       index = next_.fetch_add(1, std::memory_order_relaxed)) {
    function_(context_, index, thread);
  }
}

}  // namespace nemo::cpu
