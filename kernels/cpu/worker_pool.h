// The threads of one CPU backend. Kernels are short and many, so handing out work must cost little
// when the threads are awake, and nothing while nobody calls.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace nemo::cpu {

/// A fixed set of threads that run one loop at a time. Waiting threads spin for some microseconds,
/// then sleep. Denormals are flushed in the workers; callers hold FlushDenormals themselves.
class WorkerPool {
 public:
  /// The calling thread is one of the `num_threads` >= 1.
  explicit WorkerPool(int num_threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(index, thread) for every index below `count`, in any order, and returns when all
  /// are done. `thread` < num_threads() tells concurrent calls apart. `body` must not throw.
  template <typename Body>
  void ForEach(int64_t count, const Body& body) {
    Run(
        count,
        [](const void* context, int64_t index, int thread) {
          (*static_cast<const Body*>(context))(index, thread);
        },
        &body);
  }

 private:
  using Function = void (*)(const void* context, int64_t index, int thread);
  void Run(int64_t count, Function function, const void* context);
  void WorkerLoop(int thread);
  void TakeIndices(int thread);

  std::vector<std::thread> workers_;
  // The loop under way; written by Run before `generation_` tells the workers.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> num_busy_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace nemo::cpu
