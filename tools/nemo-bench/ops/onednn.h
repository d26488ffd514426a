// The door of oneDNN, the comparator of `linear`; builds without it have no peer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/nemo-bench/ops/op.h"

namespace nemo {

/// y[m, n] = x[m, k] W[n, k]^T.
struct LinearShape {
  int64_t m = 0, n = 0, k = 0;
  int leaves = 1;
  Epilogue epilogue = Epilogue::kBf16;
};

/// "oneDNN 2.6.3"; empty: this build has none.
std::string OneDnnName();

/// The product by oneDNN: weights in the arrangement it asks for, bf16 in, bf16 or (kFloat) fp32
/// out, with context.threads threads of OpenMP. It leaves the squared ReLU out. kUnsupported: it
/// has no bf16 product for this processor.
Result<std::unique_ptr<PreparedOp>> PrepareOneDnnLinear(const OpContext& context,
                                                        const LinearShape& shape);

}  // namespace nemo
