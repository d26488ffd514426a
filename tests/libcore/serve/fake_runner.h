// A RequestRunner without a model: every step gives each running request its next token, "a", "b",
// "c", ... Tests see what was asked of it, and hold its steps.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "libcore/runtime/request_runner.h"

namespace nemo::testing {

/// A request for `tokens` tokens whose prompt is `mark` alone.
inline GenerateRequest FakeRequest(int32_t mark, int64_t tokens) {
  GenerateRequest request;
  request.prompt_ids = {mark};
  request.tokens_to_generate = tokens;
  return request;
}

class FakeRunner final : public RequestRunner {
 public:
  // RequestRunner, in the thread of the loop.

  Result<int64_t> Add(GenerateRequest request) override {
    if (request.prompt_ids[0] == kNoRoom) return InvalidArgument("no room for it");
    const std::lock_guard lock(mutex_);
    added_.push_back(request.prompt_ids[0]);
    running_.emplace(next_id_, std::move(request));
    most_running_ = std::max(most_running_, running_.size());
    return next_id_++;
  }
  void Cancel(int64_t id) override {
    const std::lock_guard lock(mutex_);
    if (running_.erase(id) > 0) cancelled_.push_back(id);
  }
  bool idle() const override {
    const std::lock_guard lock(mutex_);
    return running_.empty();
  }
  Status Step(const TokenCallback& on_token) override {
    std::vector<int64_t> ids;
    {
      std::unique_lock lock(mutex_);
      ++num_begun_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return num_allowed_ > 0; });
      --num_allowed_;
      if (!fault_.ok()) return fault_;
      for (const auto& [id, request] : running_) ids.push_back(id);
    }
    for (const int64_t id : ids) Give(id, on_token);
    return OkStatus();
  }
  const Scheduler::Counts& counts() const override { return counts_; }
  GeneratorLoad load() const override {
    const std::lock_guard lock(mutex_);
    return {.num_running = std::ssize(running_), .kv_pages_used = 3, .kv_pages = 9};
  }
  std::map<int64_t, GenerateResult> TakeFinished() override { return std::exchange(finished_, {}); }

  // Of the tests.

  static constexpr int32_t kNoRoom = -1;  ///< the mark of a request that Add refuses

  /// Steps wait until they are allowed; all of them are at first.
  void Hold() {
    const std::lock_guard lock(mutex_);
    num_allowed_ = 0;
  }
  void Allow(int64_t steps = kAll) {
    const std::lock_guard lock(mutex_);
    num_allowed_ = steps;
    changed_.notify_all();
  }
  /// The next step fails.
  void Fail(Status fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  /// Until so many steps have begun, allowed to go on or not.
  void WaitForStep(int64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_begun_ >= number; });
  }
  std::vector<int32_t> added() const {
    const std::lock_guard lock(mutex_);
    return added_;
  }
  std::vector<int64_t> cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }
  size_t most_running() const {
    const std::lock_guard lock(mutex_);
    return most_running_;
  }
  int64_t num_steps() const {
    const std::lock_guard lock(mutex_);
    return num_begun_;
  }

 private:
  static constexpr int64_t kAll = int64_t{1} << 40;

  void Give(int64_t id, const TokenCallback& on_token) {
    GenerateRequest& request = running_.at(id);
    std::string& text = texts_[id];
    text += static_cast<char>('a' + text.size() % 26);
    if (on_token)
      on_token({.id = id, .token_id = text.back(), .text = text.substr(text.size() - 1)});
    if (std::ssize(text) < request.tokens_to_generate) return;
    GenerateResult result;
    result.num_prompt_tokens = 1;
    result.token_ids = request.prompt_ids;
    result.token_ids.insert(result.token_ids.end(), text.begin(), text.end());
    result.text = text;
    finished_.emplace(id, std::move(result));
    const std::lock_guard lock(mutex_);
    running_.erase(id);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, GenerateRequest> running_;
  std::map<int64_t, std::string> texts_;
  std::map<int64_t, GenerateResult> finished_;
  std::vector<int32_t> added_;
  std::vector<int64_t> cancelled_;
  size_t most_running_ = 0;
  int64_t next_id_ = 0, num_begun_ = 0, num_allowed_ = kAll;
  Status fault_;
  Scheduler::Counts counts_;
};

}  // namespace nemo::testing
