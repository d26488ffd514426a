// What becomes of the sum of a product (Epilogue, libcore/runtime/backend.h).
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "libcore/runtime/backend.h"

namespace nemo::cuda {

__device__ inline BF16 SquaredRelu(float v) {
  const float u = v < 0.0f ? 0.0f : v;
  return BF16FromFloat(u * u);
}

__device__ inline void StoreSum(Epilogue epilogue, float sum, void* y, int64_t index) {
  switch (epilogue) {
    case Epilogue::kFloat:
      static_cast<float*>(y)[index] = sum;
      return;
    case Epilogue::kBf16:
      static_cast<BF16*>(y)[index] = BF16FromFloat(sum);
      return;
    case Epilogue::kRelu2Bf16:
      static_cast<BF16*>(y)[index] = SquaredRelu(RoundToBF16(sum));
      return;
    case Epilogue::kRelu2Float:
      static_cast<float*>(y)[index] = sum < 0.0f ? 0.0f : sum * sum;
      return;
  }
}

}  // namespace nemo::cuda
