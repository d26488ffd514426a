// A library's product of large matrices, where the machine has one: for more tokens than our own
// kernel is made for. cuBLASLt is loaded when it is first wanted, so that a program needs it no
// more than it needs a GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <cuda_runtime_api.h>

#include "libcore/base/status.h"
#include "libcore/tensor/dtype.h"

namespace nemo::cuda {

/// y[m, n] = x[m, k] W[n, k]^T, fp32 sums; rows of W are row_stride apart.
struct GemmShape {
  int64_t m, n, k, row_stride;
  bool float_output;  ///< else bf16

  auto operator<=>(const GemmShape&) const = default;
};

class GemmLibrary {
 public:
  virtual ~GemmLibrary() = default;
  virtual std::string name() const = 0;  ///< "cuBLASLt 13.0.2"
  /// How many ways there are to compute `shape` with `scratch_bytes` of memory, the library's own
  /// favourite first; 0: none.
  virtual Result<int> NumCandidates(const GemmShape& shape, int64_t scratch_bytes) = 0;
  /// The product by one of them. Pointers are device memory, 16-byte aligned.
  virtual Status Run(const GemmShape& shape, int candidate, const BF16* weight, const BF16* x,
                     void* y, void* scratch, int64_t scratch_bytes, cudaStream_t stream) = 0;
};

/// kUnavailable: it is not installed, or not the version of this build; the message says where it
/// was looked for.
Result<std::unique_ptr<GemmLibrary>> OpenCublasLt();

}  // namespace nemo::cuda
