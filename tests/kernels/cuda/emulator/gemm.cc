#include "tests/kernels/cuda/emulator/gemm.h"

#include <mutex>
#include <utility>

#include "kernels/cuda/gemm_library.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo {
namespace simt {
namespace {

std::mutex mutex;
std::vector<double> candidate_ms;
std::vector<int> runs;

class HostGemm final : public cuda::GemmLibrary {
 public:
  std::string name() const override { return "the host's products"; }
  Result<int> NumCandidates(const cuda::GemmShape&, int64_t) override {
    return static_cast<int>(candidate_ms.size());
  }
  Status Run(const cuda::GemmShape& s, int candidate, const BF16* weight, const BF16* x, void* y,
             void*, int64_t, cudaStream_t stream) override {
    if (candidate_ms[candidate] < 0) return Unavailable("this candidate does not run");
    {
      const std::lock_guard lock(mutex);
      runs.push_back(candidate);
    }
    Enqueue(stream, [=, ms = candidate_ms[candidate]] {
      AddTime(ms);
      for (int64_t row = 0; row < s.m; ++row) {
        for (int64_t column = 0; column < s.n; ++column) {
          double sum = 0;
          for (int64_t i = 0; i < s.k; ++i) {
            sum += double{FloatFromBF16(weight[column * s.row_stride + i])} *
                   FloatFromBF16(x[row * s.k + i]);
          }
          const int64_t index = row * s.n + column;
          if (s.float_output) {
            static_cast<float*>(y)[index] = static_cast<float>(sum);
          } else {
            static_cast<BF16*>(y)[index] = BF16FromFloat(static_cast<float>(sum));
          }
        }
      }
    });
    return OkStatus();
  }
};

}  // namespace

void SetGemmLibrary(std::vector<double> milliseconds) {
  const std::lock_guard lock(mutex);
  candidate_ms = std::move(milliseconds);
  runs.clear();
}

std::vector<int> GemmRuns() {
  const std::lock_guard lock(mutex);
  return runs;
}

}  // namespace simt

namespace cuda {

Result<std::unique_ptr<GemmLibrary>> OpenCublasLt() {
  if (simt::candidate_ms.empty()) return Unavailable("no library in the emulator");
  return std::unique_ptr<GemmLibrary>(std::make_unique<simt::HostGemm>());
}

}  // namespace cuda
}  // namespace nemo
