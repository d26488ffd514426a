// The checksum of gzip and zip. Facts: RFC 1952, section 8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nemo {

/// CRC-32 of `data` behind bytes whose CRC-32 is `before` (0: none).
uint32_t Crc32(std::span<const std::byte> data, uint32_t before = 0);

}  // namespace nemo
