// Progress as a person sees it: one line on stderr, redrawn on a terminal, printed now and then
// elsewhere.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

#include "libcore/base/progress.h"

namespace nemo {

/// "convert: 1.2 GB of 4.8 GB (25 %), 0.61 GB/s, 6 s left". `unit` is "B" or a plural noun.
std::string ProgressLine(std::string_view what, std::string_view unit, int64_t done, int64_t total,
                         double elapsed_seconds);
/// "convert: 4.8 GB in 7.9 s, 0.61 GB/s".
std::string ProgressSummary(std::string_view what, std::string_view unit, int64_t done,
                            double elapsed_seconds);

/// How long no line is printed after one at `elapsed_ms`: two seconds at first, a tenth of the time
/// that has passed, at most a minute. A log of hours has some hundred lines.
int64_t LineGapMs(int64_t elapsed_ms);

/// Writes to `stream`. Add is thread-safe and cheap: a call in between drawings is one atomic
/// addition.
class TerminalProgress : public Progress {
 public:
  enum class Style {
    kSilent,
    kRedraw,  ///< one line, rewritten four times a second
    kLines,   ///< a line now and then (LineGapMs): logs
  };
  TerminalProgress(std::FILE* stream, Style style) : stream_(stream), style_(style) {}
  void Start(std::string_view what, int64_t total, std::string_view unit) override;
  void Add(int64_t amount) override;
  void Remark(std::string_view text) override;
  void Finish() override;

 private:
  using Clock = std::chrono::steady_clock;
  double ElapsedSeconds() const;
  int64_t GapMs(int64_t elapsed_ms) const;
  void Draw(std::string line, bool last);

  std::FILE* stream_;
  Style style_;
  std::mutex mutex_;  // guards what follows, except for the atomics
  std::string what_, unit_, remark_;
  int64_t total_ = 0;
  size_t drawn_width_ = 0;
  Clock::time_point start_;
  std::atomic<int64_t> done_ = 0;
  std::atomic<int64_t> next_draw_ms_ = 0;
  std::atomic<bool> running_ = false;
};

/// The style for --progress auto|always|never: auto draws on a terminal only, and not with --quiet.
TerminalProgress::Style ProgressStyle(const std::string& mode, bool quiet, std::FILE* stream);

}  // namespace nemo
