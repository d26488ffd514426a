#include "kernels/cuda/stream_watch.h"

#include "kernels/cuda/device.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

/// Whether the stream has passed `event`.
Result<bool> Passed(cudaEvent_t event) {
  const cudaError_t state = cudaEventQuery(event);
  if (state != cudaErrorNotReady) NEMO_RETURN_IF_ERROR(CudaStatus(state, "cudaEventQuery"));
  return state == cudaSuccess;
}

}  // namespace

StreamWatch::~StreamWatch() {
  for (const Watched& w : watched_) {
    cudaEventDestroy(w.begin);
    cudaEventDestroy(w.end);
  }
  for (const cudaEvent_t event : free_) cudaEventDestroy(event);
}

Result<cudaEvent_t> StreamWatch::Event() {
  if (!free_.empty()) {
    const cudaEvent_t event = free_.back();
    free_.pop_back();
    return event;
  }
  cudaEvent_t event = nullptr;
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&event, cudaEventDisableTiming),
                                  "cudaEventCreateWithFlags"));
  return event;
}

/// Drops what has ended.
Status StreamWatch::Forget() {
  while (!watched_.empty()) {
    NEMO_ASSIGN_OR_RETURN(const bool ended, Passed(watched_.front().end));
    if (!ended) break;
    free_.push_back(watched_.front().begin);
    free_.push_back(watched_.front().end);
    watched_.pop_front();
  }
  return OkStatus();
}

Status StreamWatch::Around(cudaStream_t stream, const std::string& what,
                           const std::function<Status()>& call) {
  if (is_inside_) return call();
  NEMO_RETURN_IF_ERROR(Forget());
  NEMO_ASSIGN_OR_RETURN(const cudaEvent_t begin, Event());
  const auto end = Event();
  if (!end) {
    free_.push_back(begin);
    return end.error();
  }
  watched_.push_back({what, begin, *end, {}});
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(begin, stream), "cudaEventRecord"));
  is_inside_ = true;
  const Status called = call();
  is_inside_ = false;
  // Also behind a call that failed: it may have left a part of its work on the stream.
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(*end, stream), "cudaEventRecord"));
  return called;
}

Status StreamWatch::Check() {
  NEMO_RETURN_IF_ERROR(Forget());
  if (watched_.empty()) return OkStatus();
  Watched& oldest = watched_.front();
  const auto now = std::chrono::steady_clock::now();
  if (!oldest.since) {
    NEMO_ASSIGN_OR_RETURN(const bool has_begun, Passed(oldest.begin));
    if (has_begun) oldest.since = now;
    return OkStatus();
  }
  if (now - *oldest.since <= std::chrono::milliseconds(deadline_ms_)) return OkStatus();
  return Unavailable(Format("{}: waited {} ms for the others", oldest.what, deadline_ms_));
}

bool StreamWatch::idle() { return !Forget().ok() || watched_.empty(); }

}  // namespace nemo::cuda
