// Buffer in host memory: what backends without a device of their own allocate.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/mman.h>

#include "libcore/base/format.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Zeroed memory that begins at a multiple of 64 bytes. Large ones are touched (and so placed on a
/// memory node) at first use, in huge pages where the system has them to give.
class HostBuffer final : public Buffer {
 public:
  /// kInvalidArgument: a negative size. kIo: out of memory.
  static Result<std::unique_ptr<HostBuffer>> Allocate(int64_t size_bytes) {
    if (size_bytes < 0) {
      return InvalidArgument(Format("cannot allocate a buffer of {} bytes", size_bytes));
    }
    void* block = std::calloc(static_cast<size_t>(size_bytes) + kAlignment, 1);
    if (block == nullptr) {
      return IoError(
          Format("out of host memory: {} more were asked for; use a smaller batch, fewer KV "
                 "pages, or more ranks",
                 FormatBytes(size_bytes)));
    }
    return std::unique_ptr<HostBuffer>(new HostBuffer(block, size_bytes));
  }
  ~HostBuffer() override { std::free(block_); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;

  void* data() override { return data_; }
  const void* data() const override { return data_; }
  int64_t size_bytes() const override { return size_bytes_; }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kPageBytes = 4096;
  static constexpr int64_t kLargeBytes = 4 << 20;

  HostBuffer(void* block, int64_t size_bytes)
      : block_(block), data_(block), size_bytes_(size_bytes) {
    size_t space = static_cast<size_t>(size_bytes) + kAlignment;
    std::align(kAlignment, static_cast<size_t>(size_bytes), data_, space);
    if (size_bytes >= kLargeBytes) AdviseHugePages();
  }

  // Only advice: that it fails where the kernel has no huge pages does not matter.
  void AdviseHugePages() {
    void* page = data_;
    size_t space = static_cast<size_t>(size_bytes_);
    if (std::align(kPageBytes, kPageBytes, page, space) != nullptr) {
      madvise(page, space / kPageBytes * kPageBytes, MADV_HUGEPAGE);
    }
  }

  void* block_;
  void* data_;
  int64_t size_bytes_;
};

}  // namespace nemo
