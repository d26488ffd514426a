// Calls on a stream that wait for other ranks, and end only when those come: since when the oldest
// of them has been waiting. Kernels of our own give up by themselves; NCCL's do not.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

#include "libcore/base/status.h"

namespace nemo::cuda {

/// Of one stream. Not thread-safe.
class StreamWatch {
 public:
  explicit StreamWatch(int64_t deadline_ms) : deadline_ms_(deadline_ms) {}
  ~StreamWatch();
  StreamWatch(const StreamWatch&) = delete;
  StreamWatch& operator=(const StreamWatch&) = delete;

  /// Does `call`, which puts work on `stream`, and watches it until it has ended. `what` goes into
  /// the error. Within another Around only the outer one watches, so that `call` may be recorded.
  Status Around(cudaStream_t stream, const std::string& what, const std::function<Status()>& call);
  /// kUnavailable: what began has not ended within the deadline, as seen by these calls.
  Status Check();
  /// True when all that was watched has ended.
  bool idle();

 private:
  struct Watched {
    std::string what;
    cudaEvent_t begin, end;
    std::optional<std::chrono::steady_clock::time_point> since;  // it was first seen to have begun
  };
  Result<cudaEvent_t> Event();
  Status Forget();

  const int64_t deadline_ms_;
  bool is_inside_ = false;
  std::deque<Watched> watched_;  // in the stream's order
  std::vector<cudaEvent_t> free_;
};

}  // namespace nemo::cuda
