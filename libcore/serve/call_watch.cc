#include "libcore/serve/call_watch.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// How soon a client that has left is noticed.
constexpr std::chrono::milliseconds kGlance{100};

}  // namespace

CallWatch::CallWatch(RequestQueue& queue, std::shared_ptr<Call> call,
                     std::function<bool()> has_left, std::chrono::seconds limit)
    : queue_(queue), call_(std::move(call)), has_left_(std::move(has_left)), limit_(limit) {}

std::vector<CallNews> CallWatch::Next() {
  while (!failure_) {
    std::vector<CallNews> news = call_->TakeNews(next_look_);
    if (Call::Clock::now() >= next_look_) {
      failure_ = LookAtTheClient();
      next_look_ = Call::Clock::now() + kGlance;
      if (failure_) break;
    }
    if (!news.empty()) return news;
    failure_ = call_->failure();
  }
  return {};
}

std::optional<CallFailure> CallWatch::LookAtTheClient() const {
  if (has_left_()) return CallFailure{Call::kHasLeft, "the client has hung up"};
  if (Call::Clock::now() <= call_->created() + limit_) return std::nullopt;
  return CallFailure{kTooLate, Format("the answer was not finished within {} s, the limit of this "
                                      "server (--request-timeout)",
                                      limit_.count())};
}

std::optional<std::vector<GenerateResult>> TakeResults(CallWatch& watch) {
  std::vector<GenerateResult> results(watch.call().requests().size());
  for (size_t num_left = results.size(); num_left > 0;) {
    std::vector<CallNews> news = watch.Next();
    if (news.empty()) return std::nullopt;
    for (CallNews& one : news) {
      if (!one.result) continue;
      results[one.index] = *std::move(one.result);
      --num_left;
    }
  }
  return results;
}

}  // namespace nemo
