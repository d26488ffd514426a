// Words in memory that several devices, or several kernels of one, see while they run.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace nemo::cuda {

#ifdef NEMO_SIMT_EMULATOR

inline void StoreRelease(uint32_t* word, uint32_t value) { simt::StoreRelease(word, value); }
inline uint32_t LoadAcquire(const uint32_t* word) { return simt::LoadAcquire(word); }
inline uint64_t NowNs() { return simt::NowNs(); }
inline void Pause() { simt::Pause(); }
inline void FenceSystem() {}

#else

/// Everything that this thread wrote or saw before is seen by whoever sees `value`, on any device.
__device__ inline void StoreRelease(uint32_t* word, uint32_t value) {
  asm volatile("st.release.sys.global.u32 [%0], %1;\n" ::"l"(word), "r"(value) : "memory");
}
__device__ inline uint32_t LoadAcquire(const uint32_t* word) {
  uint32_t value;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];\n" : "=r"(value) : "l"(word) : "memory");
  return value;
}
__device__ inline uint64_t NowNs() {
  uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;\n" : "=l"(now));
  return now;
}
__device__ inline void Pause() { __nanosleep(100); }
__device__ inline void FenceSystem() { __threadfence_system(); }

#endif

}  // namespace nemo::cuda
