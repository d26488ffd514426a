#include "formats/hdf5/zstd_filter.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <span>
#include <vector>

#include "formats/codec/zstd_frames.h"

namespace nemo::hdf5 {
namespace {

constexpr unsigned kDefaultLevel = 3;
/// HDF5 has no larger chunks.
constexpr int64_t kMaxChunkBytes = UINT32_MAX;

/// Hands `made` to the library instead of its buffer. Both are malloc's, whatever library has
/// loaded the plugin.
size_t Replace(std::byte* made, size_t size, size_t* buffer_size, void** buffer) {
  std::free(*buffer);
  *buffer = made;
  *buffer_size = size;
  return size;
}

std::byte* Allocate(size_t size) { return static_cast<std::byte*>(std::malloc(size)); }

size_t Decode(std::span<const std::byte> frame, size_t* buffer_size, void** buffer) {
  const auto content = zstd::ContentBytes(frame);
  if (!content || *content == 0 || *content > kMaxChunkBytes) return 0;
  const auto size = static_cast<size_t>(*content);
  std::byte* made = Allocate(size);
  if (made == nullptr) return 0;
  if (!zstd::Decompress(frame, {made, size}).ok()) {
    std::free(made);
    return 0;
  }
  return Replace(made, size, buffer_size, buffer);
}

size_t Encode(std::span<const std::byte> bytes, unsigned level, size_t* buffer_size,
              void** buffer) {
  std::vector<std::byte> frame;
  zstd::Append(bytes, static_cast<int>(std::clamp(level, 1u, unsigned{zstd::kMaxLevel})), frame);
  std::byte* made = Allocate(frame.size());
  if (made == nullptr) return 0;
  std::memcpy(made, frame.data(), frame.size());
  return Replace(made, frame.size(), buffer_size, buffer);
}

/// H5Z_func_t: 0 is failure, anything else the bytes in *buffer. Exceptions must not pass through
/// C.
size_t Filter(unsigned flags, size_t num_values, const unsigned values[], size_t size,
              size_t* buffer_size, void** buffer) {
  try {
    const std::span bytes(static_cast<const std::byte*>(*buffer), size);
    if ((flags & H5Z_FLAG_REVERSE) != 0) return Decode(bytes, buffer_size, buffer);
    return Encode(bytes, num_values > 0 ? values[0] : kDefaultLevel, buffer_size, buffer);
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

const H5Z_class2_t& ZstdFilterClass() {
  static const H5Z_class2_t row = {H5Z_CLASS_T_VERS, kZstdFilter, 1,       1,
                                   "zstd",           nullptr,     nullptr, Filter};
  return row;
}

}  // namespace nemo::hdf5
