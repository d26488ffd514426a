// Buffer in host memory: what backends without a device of their own allocate.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/mman.h>

#include "libcore/base/format.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Zeroed memory that begins at a multiple of 64 bytes. Large ones begin at one of 2 MiB and are
/// touched (and so placed on a memory node) at first use, in huge pages where the system has them
/// to give: in small ones a core reads half as fast.
class HostBuffer final : public Buffer {
 public:
  /// kInvalidArgument: a negative size. kIo: out of memory.
  static Result<std::unique_ptr<HostBuffer>> Allocate(int64_t size_bytes) {
    if (size_bytes < 0) {
      return InvalidArgument(Format("cannot allocate a buffer of {} bytes", size_bytes));
    }
    const size_t alignment = size_bytes < kLargeBytes ? kAlignment : kHugePageBytes;
    void* block = std::calloc(static_cast<size_t>(size_bytes) + alignment, 1);
    if (block == nullptr) {
      return IoError(
          Format("out of host memory: {} more were asked for; use a smaller batch, fewer KV "
                 "pages, or more ranks",
                 FormatBytes(size_bytes)));
    }
    return std::unique_ptr<HostBuffer>(new HostBuffer(block, alignment, size_bytes));
  }
  ~HostBuffer() override { std::free(block_); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;

  void* data() override { return data_; }
  const void* data() const override { return data_; }
  int64_t size_bytes() const override { return size_bytes_; }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kHugePageBytes = 2 << 20;
  static constexpr int64_t kLargeBytes = 2 * kHugePageBytes;

  HostBuffer(void* block, size_t alignment, int64_t size_bytes)
      : block_(block), data_(block), size_bytes_(size_bytes) {
    const auto size = static_cast<size_t>(size_bytes);
    size_t space = size + alignment;
    std::align(alignment, size, data_, space);
    // Only advice: that it fails where the kernel has no huge pages does not matter. What follows
    // the last whole huge page stays in small ones and costs no more than it holds.
    if (alignment == kHugePageBytes) {
      madvise(data_, size / kHugePageBytes * kHugePageBytes, MADV_HUGEPAGE);
    }
  }

  void* block_;
  void* data_;
  int64_t size_bytes_;
};

}  // namespace nemo
