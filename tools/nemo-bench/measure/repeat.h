// Running something again and again, with a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "libcore/base/status.h"
#include "tools/nemo-bench/measure/samples.h"

namespace nemo {

/// Seconds since it was made, or since Restart.
class Stopwatch {
 public:
  Stopwatch() { Restart(); }
  void Restart();
  double wall_seconds() const;
  /// Of all threads of the process.
  double cpu_seconds() const;

 private:
  std::chrono::steady_clock::time_point wall_;
  double cpu_ = 0;
};

struct RepeatOptions {
  int64_t warmup_runs = 2;
  int64_t min_runs = kEnoughRuns;
  double min_seconds = 0.2;          ///< more runs, until they took so long together
  double max_seconds = 60;           ///< no further run begins after this
  double min_sample_seconds = 2e-5;  ///< shorter calls are timed several at a time
};

/// Calls `call(i)`, i = 0, 1, 2, ..., and `wait` after the calls of each sample; the samples are
/// seconds per call. Errors of either; kIo: stopped by a signal.
Result<Summary> Repeat(const RepeatOptions& options, const std::function<Status(int64_t)>& call,
                       const std::function<Status()>& wait);

}  // namespace nemo
