// Memory that the disk can fill or empty by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace nemo {

/// What O_DIRECT asks of offsets, lengths and addresses (at most; a page).
inline constexpr int64_t kDirectAlignment = 4096;

/// Growing memory whose address can be given any remainder modulo kDirectAlignment. From 2 MiB on
/// it lies in huge pages where the system has them: O_DIRECT is up to three times as fast then.
/// Contents are not kept when it grows, and not initialised.
class AlignedBuffer {
 public:
  /// `size_bytes` of memory that begin `phase` bytes behind an aligned address. Valid until the
  /// next call.
  std::span<std::byte> Get(int64_t size_bytes, int64_t phase = 0);

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  int64_t capacity_ = 0;
};

}  // namespace nemo
