#include "tools/common/terminal_progress.h"

#include <algorithm>
#include <cmath>

#include "libcore/base/format.h"
#include "tools/common/terminal.h"

namespace nemo {
namespace {

constexpr int64_t kRedrawMs = 250;
constexpr int64_t kMinLineMs = 2000, kMaxLineMs = 60'000;

std::string Amount(int64_t amount, std::string_view unit) {
  return unit == "B" ? FormatBytes(amount) : Format("{} {}", amount, unit);
}

std::string Rate(int64_t amount, std::string_view unit, double elapsed_seconds) {
  const double rate = static_cast<double>(amount) / std::max(elapsed_seconds, 1e-9);
  return unit == "B" ? Format("{:.2f} GB/s", rate / 1e9) : Format("{:.1f} {}/s", rate, unit);
}

std::string TimeLeft(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(std::min(seconds, 1e9)));
  if (whole < 60) return Format("{} s left", whole);
  if (whole < 3600) return Format("{} min {:02} s left", whole / 60, whole % 60);
  return Format("{} h {:02} min left", whole / 3600, whole % 3600 / 60);
}

}  // namespace

std::string ProgressLine(std::string_view what, std::string_view unit, int64_t done, int64_t total,
                         double elapsed_seconds) {
  if (total <= 0) {
    return Format("{}: {}, {}", what, Amount(done, unit), Rate(done, unit, elapsed_seconds));
  }
  std::string line =
      Format("{}: {} of {} ({} %), {}", what, Amount(done, unit), Amount(total, unit),
             static_cast<int64_t>(100.0 * done / total), Rate(done, unit, elapsed_seconds));
  if (done > 0) line += ", " + TimeLeft(elapsed_seconds * (total - done) / done);
  return line;
}

std::string ProgressSummary(std::string_view what, std::string_view unit, int64_t done,
                            double elapsed_seconds) {
  return Format("{}: {} in {:.1f} s, {}", what, Amount(done, unit), elapsed_seconds,
                Rate(done, unit, elapsed_seconds));
}

int64_t LineGapMs(int64_t elapsed_ms) {
  return std::clamp(elapsed_ms / 10, kMinLineMs, kMaxLineMs);
}

void TerminalProgress::Start(std::string_view what, int64_t total, std::string_view unit) {
  if (style_ == Style::kSilent) return;
  const std::lock_guard lock(mutex_);
  what_ = what;
  unit_ = unit;
  remark_.clear();
  total_ = total;
  drawn_width_ = 0;
  start_ = Clock::now();
  done_ = 0;
  next_draw_ms_ = GapMs(0);
  running_ = true;
}

void TerminalProgress::Add(int64_t amount) {
  if (!running_) return;
  done_ += amount;
  const auto now_ms = static_cast<int64_t>(ElapsedSeconds() * 1e3);
  int64_t due = next_draw_ms_;
  if (now_ms < due) return;
  // One of the threads that come by at this moment draws.
  const int64_t next = now_ms + GapMs(now_ms);
  if (!next_draw_ms_.compare_exchange_strong(due, next)) return;
  const std::lock_guard lock(mutex_);
  if (running_) Draw(ProgressLine(what_, unit_, done_, total_, ElapsedSeconds()), false);
}

void TerminalProgress::Remark(std::string_view text) {
  if (style_ == Style::kSilent) return;
  const std::lock_guard lock(mutex_);
  remark_ = text;
}

void TerminalProgress::Finish() {
  if (!running_.exchange(false)) return;
  const std::lock_guard lock(mutex_);
  Draw(ProgressSummary(what_, unit_, done_, ElapsedSeconds()), true);
}

int64_t TerminalProgress::GapMs(int64_t elapsed_ms) const {
  return style_ == Style::kRedraw ? kRedrawMs : LineGapMs(elapsed_ms);
}

double TerminalProgress::ElapsedSeconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void TerminalProgress::Draw(std::string line, bool last) {
  if (!remark_.empty()) line += ", " + remark_;
  if (style_ == Style::kLines) {
    std::fputs((line + "\n").c_str(), stream_);
  } else {
    const auto width = static_cast<size_t>(std::max(20, TerminalWidth(stream_, 80) - 1));
    std::string text = line.substr(0, width);
    const size_t drawn = text.size();
    // Blanks wipe what the longer line before left behind.
    if (drawn < drawn_width_) text.append(drawn_width_ - drawn, ' ');
    drawn_width_ = drawn;
    std::fputs(("\r" + text + (last ? "\n" : "")).c_str(), stream_);
  }
  std::fflush(stream_);
}

TerminalProgress::Style ProgressStyle(const std::string& mode, bool quiet, std::FILE* stream) {
  using Style = TerminalProgress::Style;
  if (mode == "never") return Style::kSilent;
  if (mode == "always") return IsTerminal(stream) ? Style::kRedraw : Style::kLines;
  return IsTerminal(stream) && !quiet ? Style::kRedraw : Style::kSilent;
}

}  // namespace nemo
