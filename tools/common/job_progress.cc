#include "tools/common/job_progress.h"

#include <algorithm>

#include "tools/common/terminal_progress.h"

namespace nemo {

double JobState::rate() const { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }

double JobState::seconds_left() const {
  if (!is_running || done <= 0 || total < done) return -1;
  return seconds * static_cast<double>(total - done) / static_cast<double>(done);
}

std::string ToText(const JobState& state) {
  if (state.phase.empty()) return "nothing counted yet";
  std::string text =
      state.is_running
          ? ProgressLine(state.phase, state.unit, state.done, state.total, state.seconds)
          : ProgressSummary(state.phase, state.unit, state.done, state.seconds) + "; at work";
  if (!state.remark.empty()) text += ", " + state.remark;
  return text;
}

void JobProgress::Start(std::string_view what, int64_t total, std::string_view unit) {
  Begin(what, total, unit);
  screen_.Start(what, total, unit);
}

void JobProgress::Add(int64_t amount) {
  done_ += amount;
  screen_.Add(amount);
}

void JobProgress::Remark(std::string_view text) {
  SetRemark(text);
  screen_.Remark(text);
}

void JobProgress::Finish() {
  End();
  screen_.Finish();
}

void JobProgress::Begin(std::string_view what, int64_t total, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  state_ = {.phase = std::string(what), .unit = std::string(unit), .total = total};
  state_.is_running = true;
  start_ = Clock::now();
  done_ = 0;
}

void JobProgress::SetRemark(std::string_view text) {
  const std::lock_guard lock(mutex_);
  state_.remark = text;
}

void JobProgress::End() {
  const std::lock_guard lock(mutex_);
  if (!state_.is_running) return;
  state_.is_running = false;
  state_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
}

JobState JobProgress::Look() const {
  const std::lock_guard lock(mutex_);
  JobState state = state_;
  state.done = done_;
  if (state.is_running) {
    state.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  }
  return state;
}

}  // namespace nemo
