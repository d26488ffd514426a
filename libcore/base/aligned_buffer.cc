#include "libcore/base/aligned_buffer.h"

#include <cstdlib>
#include <sys/mman.h>

#include "libcore/base/check.h"

namespace nemo {

namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;

/// The disk moves a huge page as one piece, and a small one as one of hundreds.
std::byte* Allocate(int64_t size_bytes) {
  const bool huge = size_bytes >= kHugePageBytes;
  void* memory = nullptr;
  const int64_t alignment = huge ? kHugePageBytes : kDirectAlignment;
  const int error =
      posix_memalign(&memory, static_cast<size_t>(alignment), static_cast<size_t>(size_bytes));
  NEMO_CHECK(error == 0);
  // Only advice: that it fails where the kernel has no huge pages does not matter.
  if (huge) madvise(memory, static_cast<size_t>(size_bytes), MADV_HUGEPAGE);
  return static_cast<std::byte*>(memory);
}

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* memory) const { std::free(memory); }

std::span<std::byte> AlignedBuffer::Get(int64_t size_bytes, int64_t phase) {
  NEMO_CHECK(size_bytes >= 0 && phase >= 0 && phase < kDirectAlignment);
  const int64_t wanted =
      (phase + size_bytes + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
  if (wanted > capacity_) {
    memory_.reset();
    memory_.reset(Allocate(wanted));
    capacity_ = wanted;
  }
  if (memory_ == nullptr) return {};
  return {memory_.get() + phase, static_cast<size_t>(size_bytes)};
}

}  // namespace nemo
