#include "kernels/cuda/probe.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "libcore/base/format.h"

namespace nemo {
namespace cuda {
namespace {

constexpr int64_t kBufferBytes = int64_t{1} << 30;  // of each of two: many times any L2
constexpr int kRuns = 7;
constexpr int64_t kRounds = 4096;
constexpr int64_t kLargeProduct = 8192;

/// Median seconds of what `enqueue` puts on the stream.
class EventClock {
 public:
  ~EventClock() {
    if (begin_ != nullptr) cudaEventDestroy(begin_);
    if (end_ != nullptr) cudaEventDestroy(end_);
  }
  Status Start() {
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&begin_, 0), "cudaEventCreate"));
    return CudaStatus(cudaEventCreateWithFlags(&end_, 0), "cudaEventCreate");
  }
  Result<double> Median(cudaStream_t stream, const std::function<Status()>& enqueue) {
    NEMO_RETURN_IF_ERROR(enqueue());  // warms up
    std::vector<double> seconds;
    for (int run = 0; run < kRuns; ++run) {
      NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(begin_, stream), "cudaEventRecord"));
      NEMO_RETURN_IF_ERROR(enqueue());
      NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(end_, stream), "cudaEventRecord"));
      NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventSynchronize(end_), "cudaEventSynchronize"));
      float ms = 0;
      NEMO_RETURN_IF_ERROR(
          CudaStatus(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime"));
      seconds.push_back(ms * 1e-3);
    }
    std::nth_element(seconds.begin(), seconds.begin() + kRuns / 2, seconds.end());
    if (seconds[kRuns / 2] <= 0) return Unavailable("the device's clock does not move");
    return seconds[kRuns / 2];
  }

 private:
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

/// The library's product of large matrices; 0 without a library.
Result<double> LibraryFlops(CudaBackend& backend, EventClock& clock, const BF16* operands,
                            BF16* y) {
  if (backend.gemm() == nullptr) return 0.0;
  constexpr int64_t kScratchBytes = int64_t{32} << 20;
  NEMO_ASSIGN_OR_RETURN(float* const scratch,
                        backend.Scratch(kScratchBytes / static_cast<int64_t>(sizeof(float))));
  const int64_t size = kLargeProduct;
  const GemmShape shape{size, size, size, size, false};
  NEMO_ASSIGN_OR_RETURN(const double seconds, clock.Median(backend.device().stream(), [&] {
    return backend.gemm()->Run(shape, operands, operands + size * size, y, scratch, kScratchBytes,
                               backend.device().stream());
  }));
  return 2.0 * size * size * size / seconds;
}

}  // namespace
}  // namespace cuda

Result<DeviceRates> ProbeCuda(Backend& any) {
  using namespace cuda;  // NOLINT(build/namespaces): all of this is
  CudaBackend& backend = Cuda(any);
  EventClock clock;
  NEMO_RETURN_IF_ERROR(backend.device().Enter());
  NEMO_RETURN_IF_ERROR(clock.Start());
  NEMO_ASSIGN_OR_RETURN(const auto from, backend.Allocate(kBufferBytes));
  NEMO_ASSIGN_OR_RETURN(const auto to, backend.Allocate(kBufferBytes));
  NEMO_ASSIGN_OR_RETURN(const auto out,
                        backend.Allocate(int64_t{kProbeBlocks} * kProbeThreads * 4));
  const cudaStream_t stream = backend.device().stream();

  const FillParams fill{static_cast<uint32_t*>(from->data()), kBufferBytes / 4};
  NEMO_RETURN_IF_ERROR(backend.Run(LaunchFill, fill, "launch of the probe's numbers"));
  DeviceRates rates;
  const ReadProbeParams read{static_cast<const uint4*>(from->data()), kBufferBytes / 16,
                             static_cast<uint32_t*>(out->data())};
  NEMO_ASSIGN_OR_RETURN(const double read_seconds, clock.Median(stream, [&] {
    return backend.Run(LaunchReadProbe, read, "launch of the read probe");
  }));
  rates.read_bytes_per_second = kBufferBytes / read_seconds;
  NEMO_ASSIGN_OR_RETURN(const double copy_seconds, clock.Median(stream, [&] {
    return CudaStatus(
        cudaMemcpyAsync(to->data(), from->data(), kBufferBytes, cudaMemcpyDeviceToDevice, stream),
        "cudaMemcpyAsync on the device");
  }));
  rates.copy_bytes_per_second = 2.0 * kBufferBytes / copy_seconds;

  const ComputeProbeParams compute{kRounds, static_cast<const uint32_t*>(from->data()),
                                   static_cast<float*>(out->data())};
  NEMO_ASSIGN_OR_RETURN(const double compute_seconds, clock.Median(stream, [&] {
    return backend.Run(LaunchComputeProbe, compute, "launch of the compute probe");
  }));
  const double warps = double{kProbeBlocks} * kProbeThreads / kProbeWarp;
  rates.flops_per_second = warps * kRounds * kProbeProducts * kMmaFlops / compute_seconds;
  rates.compute = "mma.sync bf16 on registers";
  NEMO_ASSIGN_OR_RETURN(const double library,
                        LibraryFlops(backend, clock, static_cast<const BF16*>(from->data()),
                                     static_cast<BF16*>(to->data())));
  if (library > rates.flops_per_second) {
    rates.flops_per_second = library;
    rates.compute = Format("{}, bf16 {}^3", backend.gemm()->library().name(), kLargeProduct);
  }
  return rates;
}

}  // namespace nemo
