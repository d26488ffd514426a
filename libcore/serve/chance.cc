#include "libcore/serve/chance.h"

#include <random>

#include "libcore/base/format.h"

namespace nemo {

uint64_t FreshSeed() {
  std::random_device device;
  return (uint64_t{device() & 0x7fffffffu} << 32) | device();
}

std::string AnswerId(std::string_view prefix) {
  std::random_device device;
  const uint32_t a = device(), b = device(), c = device(), d = device();
  // Version 4, variant 1 (RFC 9562).
  return Format("{}{:08x}-{:04x}-4{:03x}-{:04x}-{:04x}{:08x}", prefix, a, b >> 16, b & 0xfff,
                0x8000 | ((c >> 16) & 0x3fff), c & 0xffff, d);
}

}  // namespace nemo
