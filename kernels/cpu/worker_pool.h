// The threads of one CPU backend. Kernels are short and many, so handing out work must cost little
// when the threads are awake, nothing while nobody calls, and must not wait for a thread that other
// programs keep from running.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace nemo::cpu {

/// A fixed set of threads that run one loop at a time. Whoever waits spins for some microseconds,
/// then sleeps. A worker that has not woken up when the loop is done is not waited for. Denormals
/// are flushed in the workers; callers hold FlushDenormals themselves.
class WorkerPool {
 public:
  /// The calling thread is one of the `num_threads` >= 1.
  explicit WorkerPool(int num_threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(index, thread) for every index below `count`, in runs of neighbours, and returns
  /// when all are done. `thread` < num_threads() tells concurrent calls apart. `body` must not
  /// throw.
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
  /// Takes and does runs of indices until none is left.
  void TakeRuns(int thread);

  std::vector<std::thread> workers_;
  // The loop under way. Run writes these while `left_` is zero; who took indices may read them.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> left_{0};        ///< indices that nobody took: the last `left_` of count_
  std::atomic<int64_t> unfinished_{0};  ///< indices not done
  std::atomic<int32_t> finished_{0};  ///< changes when a worker did the last one: wakes the caller
  std::atomic<int32_t> generation_{0};  ///< changes when a loop begins: wakes the workers
  std::atomic<bool> stop_{false};
};

}  // namespace nemo::cpu
