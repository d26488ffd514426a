#include "formats/torch/parts_crc32.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "formats/codec/crc32.h"

namespace nemo::torch {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

Result<uint32_t> ReadCrc32(const RandomAccessFile& file, const TensorPlace& place) {
  std::vector<std::byte> block;
  uint32_t crc32 = 0;
  for (int64_t at = 0; at < place.size_bytes; at += std::ssize(block)) {
    block.resize(static_cast<size_t>(std::min(kBlockBytes, place.size_bytes - at)));
    NEMO_RETURN_IF_ERROR(file.ReadAt(place.offset_bytes + at, block));
    crc32 = Crc32(block, crc32);
  }
  return crc32;
}

}  // namespace

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
  // Where another piece begins already, Of sees that there were too many bytes.
  parts_.emplace_hint(next, offset_bytes, part);
}

Result<uint32_t> PartsCrc32::Of(const RandomAccessFile& file, const TensorPlace& place) const {
  const std::scoped_lock lock(mutex_);
  if (place.size_bytes == 0 && parts_.empty()) return uint32_t{0};
  const auto first = parts_.begin();
  // With as many bytes added as one part has, no two overlapped on the way to it.
  if (parts_.size() == 1 && first->first == 0 && added_bytes_ == place.size_bytes &&
      first->second.size_bytes == place.size_bytes) {
    return first->second.crc32;
  }
  return ReadCrc32(file, place);
}

}  // namespace nemo::torch
