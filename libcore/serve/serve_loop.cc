#include "libcore/serve/serve_loop.h"

#include <ctime>
#include <utility>

namespace nemo {
namespace {

double Seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

/// CPU time of this thread: what other threads and programs took does not count.
double CpuSeconds() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

Status ServeLoop::Run() {
  if (stats_ != nullptr) stats_->SetLoad(runner_.load(), runner_.counts());
  while (true) {
    const double cpu_begin = CpuSeconds();
    Turn turn;
    if (queue_ != nullptr) turn = NextTurn();
    const auto begin = Clock::now();
    NEMO_RETURN_IF_ERROR(ShareTurn(&turn, world_));
    const bool is_last = turn.is_last;
    NEMO_RETURN_IF_ERROR(Act(std::move(turn)));
    if (is_last) return OkStatus();
    const bool steps = !runner_.idle();
    const auto step_begin = Clock::now();
    const double cpu_step = CpuSeconds();
    NEMO_RETURN_IF_ERROR(Step());
    if (queue_ == nullptr) continue;
    const double cpu_end = CpuSeconds();
    const double step_seconds = Seconds(Clock::now() - step_begin);
    GiveOut();
    stats_->SetLoad(runner_.load(), runner_.counts());
    if (!steps) continue;
    const double own = CpuSeconds() - cpu_end + cpu_step - cpu_begin;
    stats_->CountStep(step_seconds, Seconds(Clock::now() - begin), own);
  }
}

Turn ServeLoop::NextTurn() {
  Turn turn;
  if (runner_.idle()) turn.is_pulse = !queue_->WaitForWork(Clock::now() + pulse_);
  for (auto it = running_.begin(); it != running_.end();) {
    if (it->second.call->is_given_up()) {
      turn.cancelled.push_back(it->first);
      it = running_.erase(it);
    } else {
      ++it;
    }
  }
  entering_ = queue_->Take(max_batch_size_ - std::ssize(running_));
  for (const auto& [call, index] : entering_) {
    turn.added.push_back(call->requests()[index]);
    turn.added.back().token_texts = call->wants_tokens();
  }
  if (!turn.cancelled.empty() || !turn.added.empty()) turn.is_pulse = false;
  turn.is_last =
      queue_->is_closed() && queue_->num_waiting() == 0 && running_.empty() && entering_.empty();
  return turn;
}

Status ServeLoop::Act(Turn turn) {
  for (const int64_t id : turn.cancelled) runner_.Cancel(id);
  for (size_t i = 0; i < turn.added.size(); ++i) {
    auto id = runner_.Add(std::move(turn.added[i]));
    // The same verdict on all ranks. Requests were checked, so this is a memory that ran out.
    if (queue_ == nullptr) continue;
    entering_[i].call->MarkStarted();
    if (id) {
      running_[*id] = entering_[i];
    } else {
      entering_[i].call->Fail({400, id.error().message()});
    }
  }
  entering_.clear();
  return OkStatus();
}

Status ServeLoop::Step() {
  if (runner_.idle()) return OkStatus();
  if (queue_ == nullptr) {
    NEMO_RETURN_IF_ERROR(runner_.Step(nullptr));
    runner_.TakeFinished();
    return OkStatus();
  }
  return runner_.Step([this](const TokenEvent& event) {
    const auto it = running_.find(event.id);
    if (it != running_.end()) it->second.call->Tell(it->second.index, event);
  });
}

void ServeLoop::GiveOut() {
  for (auto& [id, result] : runner_.TakeFinished()) {
    const auto it = running_.find(id);
    if (it == running_.end()) continue;
    stats_->CountTokens(result.num_prompt_tokens,
                        std::ssize(result.token_ids) - result.num_prompt_tokens);
    it->second.call->Tell(it->second.index, std::move(result));
    running_.erase(it);
  }
}

}  // namespace nemo
