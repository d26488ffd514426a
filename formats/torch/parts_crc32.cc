#include "formats/torch/parts_crc32.h"

#include <iterator>

#include "formats/codec/crc32.h"
#include "libcore/base/format.h"

namespace nemo::torch {

void PartsCrc32::Add(int64_t offset_bytes, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  Part part{static_cast<int64_t>(bytes.size()), Crc32(bytes)};
  const std::scoped_lock lock(mutex_);
  added_bytes_ += part.size_bytes;
  auto next = parts_.lower_bound(offset_bytes);
  if (next != parts_.end() && next->first == offset_bytes + part.size_bytes) {
    part.crc32 = Crc32Combine(part.crc32, next->second.crc32, next->second.size_bytes);
    part.size_bytes += next->second.size_bytes;
    next = parts_.erase(next);
  }
  if (next != parts_.begin()) {
    Part& before = std::prev(next)->second;
    if (std::prev(next)->first + before.size_bytes == offset_bytes) {
      before.crc32 = Crc32Combine(before.crc32, part.crc32, part.size_bytes);
      before.size_bytes += part.size_bytes;
      return;
    }
  }
  // Where another piece begins already, Value sees that there are too many bytes.
  parts_.emplace_hint(next, offset_bytes, part);
}

Result<uint32_t> PartsCrc32::Value(int64_t size_bytes) const {
  const std::scoped_lock lock(mutex_);
  if (size_bytes == 0 && parts_.empty()) return uint32_t{0};
  if (parts_.size() == 1 && parts_.begin()->first == 0 && added_bytes_ == size_bytes &&
      parts_.begin()->second.size_bytes == size_bytes) {
    return parts_.begin()->second.crc32;
  }
  return InvalidArgument(
      Format("its {} bytes were not written once each, so their CRC-32 is not known", size_bytes));
}

}  // namespace nemo::torch
