#include "formats/codec/crc32.h"

#include <libdeflate.h>

#include <zlib.h>

#include "libcore/base/check.h"

namespace nemo {

uint32_t Crc32(std::span<const std::byte> data, uint32_t before) {
  if (data.empty()) return before;  // libdeflate takes a null pointer for "begin anew"
  return libdeflate_crc32(before, data.data(), data.size());
}

uint32_t Crc32Combine(uint32_t front, uint32_t back, int64_t back_bytes) {
  NEMO_CHECK(back_bytes >= 0);
  return static_cast<uint32_t>(crc32_combine(front, back, back_bytes));
}

}  // namespace nemo
