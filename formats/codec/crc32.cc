#include "formats/codec/crc32.h"

#include <array>
#include <libdeflate.h>

#include "libcore/base/check.h"

namespace nemo {
namespace {

// A CRC-32 is a polynomial over GF(2) modulo this one; the highest bit holds the coefficient of
// x^0.
constexpr uint32_t kPolynomial = 0xedb88320;
constexpr uint32_t kOne = uint32_t{1} << 31;
constexpr uint32_t kX8 = kOne >> 8;

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    product ^= (a & bit) != 0 ? b : 0;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return product;
}

constexpr size_t kSizeBytes = sizeof(int64_t);
using Powers = std::array<std::array<uint32_t, 256>, kSizeBytes>;

/// [i][n] = x^(8 * n * 256^i): what byte i of a size multiplies with.
constexpr Powers MakePowers() {
  Powers powers = {};
  uint32_t base = kX8;
  for (auto& row : powers) {
    row[0] = kOne;
    for (size_t n = 1; n < row.size(); ++n) row[n] = Multiply(row[n - 1], base);
    base = Multiply(row.back(), base);
  }
  return powers;
}

constexpr Powers kPowers = MakePowers();

}  // namespace

uint32_t Crc32(std::span<const std::byte> data, uint32_t before) {
  if (data.empty()) return before;  // libdeflate takes a null pointer for "begin anew"
  return libdeflate_crc32(before, data.data(), data.size());
}

uint32_t Crc32Combine(uint32_t front, uint32_t back, int64_t back_bytes) {
  NEMO_CHECK(back_bytes >= 0);
  const auto size = static_cast<uint64_t>(back_bytes);
  for (size_t i = 0; i < kSizeBytes; ++i) {
    const size_t n = size >> (8 * i) & 255;
    if (n != 0) front = Multiply(front, kPowers[i][n]);
  }
  return front ^ back;
}

}  // namespace nemo
