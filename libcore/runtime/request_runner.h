// RequestRunner: what takes requests and works on them a step at a time. Implementations: the
// generator, and a stand-in in the tests of the server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/runtime/request.h"
#include "libcore/runtime/scheduler.h"

namespace nemo {

/// How much there is to do, and room for it.
struct GeneratorLoad {
  int64_t num_running = 0;  ///< requests
  int64_t num_waiting = 0;
  int64_t kv_pages_used = 0;  ///< that running requests have
  int64_t kv_pages = 0;
};

/// A token was chosen for request `id`.
struct TokenEvent {
  int64_t id = 0;
  int32_t token_id = 0;
  /// What has become complete of the generated text; empty where the request has no token_texts.
  std::string_view text;
  /// Of the token, and of the likeliest in its place; 0 and empty unless asked for.
  double logprob = 0;
  std::span<const TokenLogprob> top_logprobs;
};

/// Called on each rank that gives one, in the thread of Step; the event lives as long as the call.
using TokenCallback = std::function<void(const TokenEvent&)>;

/// Ranks must make the same calls in the same order. Not thread-safe.
class RequestRunner {
 public:
  virtual ~RequestRunner() = default;
  /// Takes a request and returns its id: 0, 1, 2, ... kInvalidArgument: as CheckRequest; nothing
  /// has run then.
  virtual Result<int64_t> Add(GenerateRequest request) = 0;
  /// Gives a request up; it has no result.
  virtual void Cancel(int64_t id) = 0;
  virtual bool idle() const = 0;
  /// One step of the engine, and the outcome of the oldest one under way: with PP = P there are P
  /// of them, so that no stage waits. Collective. An error ends all ranks: the communicator is
  /// aborted.
  virtual Status Step(const TokenCallback& on_token) = 0;
  virtual const Scheduler::Counts& counts() const = 0;
  virtual GeneratorLoad load() const = 0;
  /// Finished requests, which are forgotten here.
  virtual std::map<int64_t, GenerateResult> TakeFinished() = 0;
};

}  // namespace nemo
