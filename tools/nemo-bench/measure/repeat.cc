#include "tools/nemo-bench/measure/repeat.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/progress.h"

namespace nemo {
namespace {

constexpr int64_t kMaxRuns = 5000;

double ProcessCpuSeconds() {
  timespec t = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

void Stopwatch::Restart() {
  cpu_ = ProcessCpuSeconds();
  wall_ = std::chrono::steady_clock::now();
}

double Stopwatch::wall_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
}

double Stopwatch::cpu_seconds() const { return ProcessCpuSeconds() - cpu_; }

Result<Summary> Repeat(const RepeatOptions& options, const std::function<Status(int64_t)>& call,
                       const std::function<Status()>& wait) {
  int64_t num_calls = 0;
  const auto sample = [&](int64_t calls) -> Result<double> {
    const Stopwatch watch;
    for (int64_t i = 0; i < calls; ++i) NEMO_RETURN_IF_ERROR(call(num_calls++));
    NEMO_RETURN_IF_ERROR(wait());
    return watch.wall_seconds() / static_cast<double>(calls);
  };
  double last = 0;
  for (int64_t i = 0; i < std::max<int64_t>(1, options.warmup_runs); ++i) {
    NEMO_ASSIGN_OR_RETURN(last, sample(1));
  }
  const auto calls = static_cast<int64_t>(
      std::clamp(std::ceil(options.min_sample_seconds / std::max(last, 1e-9)), 1.0, 1e4));
  std::vector<double> seconds;
  const Stopwatch watch;
  while (std::ssize(seconds) < kMaxRuns) {
    const double elapsed = watch.wall_seconds();
    const bool enough = std::ssize(seconds) >= options.min_runs && elapsed >= options.min_seconds;
    if (!seconds.empty() && (enough || elapsed >= options.max_seconds)) break;
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    NEMO_ASSIGN_OR_RETURN(const double one, sample(calls));
    seconds.push_back(one);
  }
  return Summarize(std::move(seconds));
}

}  // namespace nemo
