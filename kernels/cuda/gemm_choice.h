// Which of a GEMM library's ways to compute a shape is the fastest here: each is timed once, the
// answer is kept.
#pragma once

#include <map>
#include <memory>

#include "kernels/cuda/gemm_library.h"

namespace nemo::cuda {

/// Not thread-safe.
class GemmChooser {
 public:
  static constexpr int kTimedRuns = 3;        ///< of each candidate, after one that warms up
  static constexpr size_t kMaxShapes = 4096;  ///< then all are forgotten

  explicit GemmChooser(std::unique_ptr<GemmLibrary> library) : library_(std::move(library)) {}
  ~GemmChooser();

  const GemmLibrary& library() const { return *library_; }
  /// Computes `shape` by the fastest way; the first time all are tried, which waits for the device.
  /// kUnsupported: the library has none.
  Status Run(const GemmShape& shape, const BF16* weight, const BF16* x, void* y, void* scratch,
             int64_t scratch_bytes, cudaStream_t stream);

 private:
  Result<int> Choose(const GemmShape& shape, const BF16* weight, const BF16* x, void* y,
                     void* scratch, int64_t scratch_bytes, cudaStream_t stream);

  std::unique_ptr<GemmLibrary> library_;
  std::map<GemmShape, int> choices_;  // -1: none
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace nemo::cuda
