#include "libcore/base/aligned_buffer.h"

#include <cstdlib>

#include "libcore/base/check.h"

namespace nemo {

void AlignedBuffer::Free::operator()(std::byte* memory) const { std::free(memory); }

std::span<std::byte> AlignedBuffer::Get(int64_t size_bytes, int64_t phase) {
  NEMO_CHECK(size_bytes >= 0 && phase >= 0 && phase < kDirectAlignment);
  const int64_t wanted =
      (phase + size_bytes + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
  if (wanted > capacity_) {
    memory_.reset();
    memory_.reset(static_cast<std::byte*>(
        std::aligned_alloc(static_cast<size_t>(kDirectAlignment), static_cast<size_t>(wanted))));
    NEMO_CHECK(memory_ != nullptr);
    capacity_ = wanted;
  }
  if (memory_ == nullptr) return {};
  return {memory_.get() + phase, static_cast<size_t>(size_bytes)};
}

}  // namespace nemo
