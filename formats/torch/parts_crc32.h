// The CRC-32 of bytes that are written piece by piece, in any order: what a zip entry wants of a
// tensor whose boxes arrive from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"

namespace nemo::torch {

/// Thread-safe. Pieces that touch are joined at once, so memory is one small node per hole.
class PartsCrc32 {
 public:
  /// `bytes` of the tensor from its byte `offset_bytes` on.
  void Add(int64_t offset_bytes, std::span<const std::byte> bytes);
  /// Of the tensor, whose bytes lie at `place` of `file`. Reads them there when they were not all
  /// added, or some more than once: of which of them is the last one nothing is known.
  Result<uint32_t> Of(const RandomAccessFile& file, const TensorPlace& place) const;

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
