#include "formats/codec/crc32.h"

#include <zlib.h>

namespace nemo {

uint32_t Crc32(std::span<const std::byte> data, uint32_t before) {
  return static_cast<uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

}  // namespace nemo
