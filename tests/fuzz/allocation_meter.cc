#include "tests/fuzz/allocation_meter.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace nemo::fuzz {
namespace {

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};
std::atomic<int64_t> allocated_bytes{0};

void* Allocate(size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  const auto taken = static_cast<int64_t>(malloc_usable_size(block));
  allocated_bytes.fetch_add(taken, std::memory_order_relaxed);
  const int64_t live = live_bytes.fetch_add(taken, std::memory_order_relaxed) + taken;
  int64_t peak = peak_bytes.load(std::memory_order_relaxed);
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
  return block;
}

void Free(void* block) {
  if (block == nullptr) return;
  live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

int64_t LiveBytes() { return live_bytes.load(std::memory_order_relaxed); }
int64_t PeakBytes() { return peak_bytes.load(std::memory_order_relaxed); }
void ResetPeak() { peak_bytes.store(LiveBytes(), std::memory_order_relaxed); }
int64_t AllocatedBytes() { return allocated_bytes.load(std::memory_order_relaxed); }

}  // namespace nemo::fuzz

// Every form but the aligned ones, which stay a pair of their own: a sanitizer's runtime brings
// forms that do not call these.
void* operator new(size_t size) { return nemo::fuzz::Allocate(size); }
void* operator new[](size_t size) { return nemo::fuzz::Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return nemo::fuzz::Allocate(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return nemo::fuzz::Allocate(size);
}
void operator delete(void* block) noexcept { nemo::fuzz::Free(block); }
void operator delete[](void* block) noexcept { nemo::fuzz::Free(block); }
void operator delete(void* block, size_t) noexcept { nemo::fuzz::Free(block); }
void operator delete[](void* block, size_t) noexcept { nemo::fuzz::Free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { nemo::fuzz::Free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { nemo::fuzz::Free(block); }
