// What all kernels share: how they are launched, and the sum of one leaf.
#pragma once

#include <cstdint>
#include <limits>

#include <cuda_runtime.h>

#include "libcore/tensor/dtype.h"

namespace nemo::cuda {

/// The dynamic shared memory of a block, as an array of `type`.
#ifdef NEMO_SIMT_EMULATOR
#define NEMO_DYNAMIC_SHARED(type, name) \
  type* const name = reinterpret_cast<type*>(::nemo::simt::DynamicShared())
#else
#define NEMO_DYNAMIC_SHARED(type, name)                          \
  extern __shared__ __align__(128) unsigned char name##_bytes[]; \
  type* const name = reinterpret_cast<type*>(name##_bytes)
#endif

/// More shared memory than this must be asked for before the first launch.
inline constexpr int64_t kPlainSharedBytes = 48 << 10;

/// Puts `blocks` blocks of `threads` threads on `stream`. Nothing to do is no error.
template <typename Params>
cudaError_t Launch(void (*kernel)(Params), const Params& params, int64_t blocks, int threads,
                   int64_t shared_bytes, cudaStream_t stream) {
  if (blocks <= 0) return cudaSuccess;
  if (blocks > std::numeric_limits<int32_t>::max()) return cudaErrorInvalidConfiguration;
  if (shared_bytes > kPlainSharedBytes) {
    const cudaError_t error = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    if (error != cudaSuccess) return error;
  }
#ifdef NEMO_SIMT_EMULATOR
  return simt::Enqueue(stream, [=] {
    simt::RunGrid(static_cast<unsigned>(blocks), threads, static_cast<size_t>(shared_bytes),
                  [&] { kernel(params); });
  });
#else
  void* arguments[] = {const_cast<Params*>(&params)};
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel),
                          dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)),
                          arguments, static_cast<size_t>(shared_bytes), stream);
#endif
}

/// `sum` and the products of `size` elements in canonical order (LinearArgs): by pairs, the odd
/// element first. A slice of a leaf may begin at any even element.
__device__ inline float AddPairs(const BF16* a, const float* b, int size, float sum) {
  for (int even = 0; even < size; even += 2) {
    const bool has_odd = even + 1 < size;
    sum = __fmaf_rn(has_odd ? FloatFromBF16(a[even + 1]) : 0.0f, has_odd ? b[even + 1] : 0.0f, sum);
    sum = __fmaf_rn(FloatFromBF16(a[even]), b[even], sum);
  }
  return sum;
}

}  // namespace nemo::cuda
