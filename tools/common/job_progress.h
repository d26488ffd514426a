// How far a job is, for those who ask from outside: what the signal SIGUSR1 and --status-file show
// (status_reporter.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "libcore/base/progress.h"

namespace nemo {

/// Where a job stands at one moment.
struct JobState {
  std::string phase;  ///< "convert"; empty: nothing was counted yet
  std::string unit;   ///< as Progress::Start
  std::string remark;
  int64_t done = 0;
  int64_t total = 0;   ///< 0: not known
  double seconds = 0;  ///< since the phase began; of its whole length when it is over
  bool is_running = false;

  double rate() const;          ///< units per second
  double seconds_left() const;  ///< -1: not known
};

/// "convert: 1.2 GB of 4.8 GB (25 %), 0.61 GB/s, 6 s left"; without a phase says so.
std::string ToText(const JobState& state);

/// Counts, and shows the same on `screen`. Thread-safe; Add is one atomic addition beside the
/// screen's. One for all phases of a process.
class JobProgress final : public Progress {
 public:
  explicit JobProgress(Progress& screen) : screen_(screen), quiet_(*this) {}
  void Start(std::string_view what, int64_t total, std::string_view unit) override;
  void Add(int64_t amount) override;
  void Remark(std::string_view text) override;
  void Finish() override;

  /// The same counter for work that shows on the screen in another way.
  Progress& quiet() { return quiet_; }
  JobState Look() const;

 private:
  using Clock = std::chrono::steady_clock;

  /// Counts only.
  class Quiet final : public Progress {
   public:
    explicit Quiet(JobProgress& job) : job_(job) {}
    void Start(std::string_view what, int64_t total, std::string_view unit) override {
      job_.Begin(what, total, unit);
    }
    void Add(int64_t amount) override { job_.done_ += amount; }
    void Remark(std::string_view text) override { job_.SetRemark(text); }
    void Finish() override { job_.End(); }

   private:
    JobProgress& job_;
  };

  void Begin(std::string_view what, int64_t total, std::string_view unit);
  void SetRemark(std::string_view text);
  void End();

  Progress& screen_;
  Quiet quiet_;
  std::atomic<int64_t> done_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  JobState state_;            // but for `done` and, while it runs, `seconds`
  Clock::time_point start_;
};

}  // namespace nemo
