#include "libcore/tensor/sink.h"

#include <algorithm>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

/// Feeds bytes `begin` to `end` of `file` to `hasher`.
Status HashRange(const RandomAccessFile& file, int64_t begin, int64_t end,
                 std::vector<std::byte>& block, Hasher& hasher) {
  while (begin < end) {
    block.resize(static_cast<size_t>(std::min(kBlockBytes, end - begin)));
    NEMO_RETURN_IF_ERROR(file.ReadAt(begin, block));
    hasher.Update(block);
    begin += static_cast<int64_t>(block.size());
  }
  return OkStatus();
}

}  // namespace

Result<std::string> HashOutside(const RandomAccessFile& file, std::vector<TensorPlace> places) {
  std::erase_if(places, [](const TensorPlace& place) { return place.size_bytes == 0; });
  std::sort(places.begin(), places.end(), [](const TensorPlace& a, const TensorPlace& b) {
    return a.offset_bytes < b.offset_bytes;
  });
  Hasher hasher;
  std::vector<std::byte> block;
  int64_t at = 0;
  for (const TensorPlace& place : places) {
    if (place.size_bytes < 0 || place.offset_bytes > file.size_bytes() ||
        place.size_bytes > file.size_bytes() - place.offset_bytes) {
      return Corruption(Format("{}: {} bytes from byte {} on end past the file ({} bytes)",
                               file.name(), place.size_bytes, place.offset_bytes,
                               file.size_bytes()));
    }
    if (place.offset_bytes < at) {
      return Corruption(Format("{}: two tensors share byte {}", file.name(), place.offset_bytes));
    }
    NEMO_RETURN_IF_ERROR(HashRange(file, at, place.offset_bytes, block, hasher));
    at = place.offset_bytes + place.size_bytes;
  }
  NEMO_RETURN_IF_ERROR(HashRange(file, at, file.size_bytes(), block, hasher));
  return hasher.HexDigest();
}

}  // namespace nemo
