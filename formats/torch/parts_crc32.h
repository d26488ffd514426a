// The CRC-32 of bytes that are written piece by piece, in any order: what a zip entry wants of a
// tensor whose boxes arrive from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>

#include "libcore/base/status.h"

namespace nemo::torch {

/// Thread-safe. Pieces that touch are joined at once, so memory is one small node per hole.
class PartsCrc32 {
 public:
  /// `bytes` lie at `offset_bytes`. Each byte is added once.
  void Add(int64_t offset_bytes, std::span<const std::byte> bytes);
  /// Of `size_bytes` bytes. kInvalidArgument: they have not all been added, or some were twice.
  Result<uint32_t> Value(int64_t size_bytes) const;

 private:
  struct Part {
    int64_t size_bytes = 0;
    uint32_t crc32 = 0;
  };

  mutable std::mutex mutex_;
  std::map<int64_t, Part> parts_;  ///< by offset; no two touch
  int64_t added_bytes_ = 0;
};

}  // namespace nemo::torch
