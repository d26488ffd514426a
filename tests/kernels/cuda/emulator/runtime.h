// The part of CUDA that kernels/cuda uses, in host memory: what <cuda_runtime.h> is to the files of
// the wing when the host's compiler compiles them for tests. Streams run each call at once, unless
// they are captured, or a call before it waits for another rank: then a thread of the stream's own
// goes on with them. Calls can be made to fail.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include "tests/kernels/cuda/emulator/simt.h"

#define NEMO_SIMT_EMULATOR 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define threadIdx (::nemo::simt::ThreadIndex())
#define blockIdx (::nemo::simt::BlockIndex())
#define gridDim (::nemo::simt::GridSize())

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorPeerAccessAlreadyEnabled = 704,
  cudaErrorIllegalAddress = 700,
  cudaErrorNotSupported = 801,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2,
                          cudaHostAllocDefault = 0, cudaHostAllocMapped = 2;

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount, l2CacheSize;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
  struct {
    char bytes[16];
  } uuid;
};
struct cudaPointerAttributes {
  int device;
};
struct cudaIpcMemHandle_t {
  char reserved[64];
};
inline constexpr unsigned cudaIpcMemLazyEnablePeerAccess = 1;
struct cudaFuncAttributes {
  size_t sharedSizeBytes;
};

namespace nemo::simt {
struct Stream;
struct Event;
struct Graph;
}  // namespace nemo::simt
using cudaStream_t = nemo::simt::Stream*;
using cudaEvent_t = nemo::simt::Event*;
using cudaGraph_t = nemo::simt::Graph*;
using cudaGraphExec_t = nemo::simt::Graph*;

const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);
cudaError_t cudaMalloc(void** data, size_t size);
cudaError_t cudaFree(void* data);
cudaError_t cudaHostAlloc(void** data, size_t size, unsigned flags);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemsetAsync(void* data, int value, size_t size, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer);
cudaError_t cudaDeviceEnablePeerAccess(int device, unsigned flags);
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t* handle, void* memory);
cudaError_t cudaIpcOpenMemHandle(void** memory, cudaIpcMemHandle_t handle, unsigned flags);
cudaError_t cudaIpcCloseMemHandle(void* memory);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
template <typename Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel);
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int) {
  return cudaSuccess;
}

namespace nemo::simt {

/// From now on the machine has this many devices, all of the same kind; 0: cudaErrorNoDevice.
void SetDevices(int count);
/// The `skip`-th next call of `function` returns `error`, and only that one.
void FailCall(const std::string& function, cudaError_t error, int skip = 0);
/// Calls of `function` so far.
int64_t NumCalls(const std::string& function);
/// Bytes that cudaMalloc and cudaHostAlloc gave out and did not get back.
int64_t AllocatedBytes();

/// The device's clock, which events read, goes on by this much; nothing else moves it.
void AddTime(double milliseconds);

/// What a call does first: counts, and fails where a test wants it.
cudaError_t Called(const char* function);
/// Does `work` now, or, where `stream` is captured, when the graph is launched.
cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work);
/// The same with work that may have to wait: it is called until it returns true, and what comes
/// after it on the stream waits too. A call of the runtime that would wait for it for two minutes
/// ends the program. Graphs that are launched call a copy.
void EnqueueLate(cudaStream_t stream, std::function<bool()> work);

}  // namespace nemo::simt

template <typename Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, Kernel) {
  return nemo::simt::Called("cudaFuncGetAttributes");
}

struct uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __uint_as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint32_t __float_as_uint(float value) { return std::bit_cast<uint32_t>(value); }
inline void __syncthreads() { nemo::simt::SyncBlock(); }
/// Threads of a block change at barriers only.
inline int32_t atomicAdd(int32_t* to, int32_t value) {
  const int32_t old = *to;
  *to = old + value;
  return old;
}
inline void __syncwarp() {
  const char nothing = 0;
  nemo::simt::Exchange("__syncwarp", &nothing, 1);
}
namespace nemo::simt {
/// Of kernels/cuda/peer.cuh: ranks are threads of this process.
void StoreRelease(uint32_t* word, uint32_t value);
uint32_t LoadAcquire(const uint32_t* word);
uint64_t NowNs();
void Pause();
/// The instructions of kernels/cuda/mma.cuh. A sum of products is rounded once.
void Mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void LoadMatrices(uint32_t (&r)[4], const uint16_t* row, bool transposed);
}  // namespace nemo::simt

template <typename T>
T __shfl_xor_sync(uint32_t, T value, int mask) {
  const int lane = static_cast<int>(threadIdx.x % nemo::simt::kWarpLanes);
  const std::byte* slots = nemo::simt::Exchange("__shfl_xor_sync", &value, sizeof value);
  T theirs;
  std::memcpy(&theirs, slots + (lane ^ mask) * nemo::simt::kSlotBytes, sizeof theirs);
  return theirs;
}
