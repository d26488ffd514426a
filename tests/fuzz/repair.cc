#include "tests/fuzz/repair.h"

#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>

#include "formats/codec/crc32.h"

namespace nemo::fuzz {
namespace {

uint64_t Number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// The data of the entry whose central header begins at `at`; empty when it is not there.
std::string_view EntryData(std::string_view bytes, size_t at) {
  const uint64_t size = Number(bytes, at + 24, 4);
  const uint64_t local = Number(bytes, at + 42, 4);
  if (local > bytes.size() || bytes.size() - local < 30) return {};
  const uint64_t begin = local + 30 + Number(bytes, local + 26, 2) + Number(bytes, local + 28, 2);
  if (begin > bytes.size() || size > bytes.size() - begin) return {};
  return bytes.substr(begin, size);
}

}  // namespace

void RepairTar(std::string& bytes) {
  constexpr size_t kBlock = 512, kChecksum = 148, kMagic = 257;
  for (size_t at = 0; at + kBlock <= bytes.size(); at += kBlock) {
    if (std::string_view(bytes).substr(at + kMagic, 5) != "ustar") continue;
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < kBlock; ++i) {
      if (i < kChecksum || i >= kChecksum + 8) sum += static_cast<unsigned char>(bytes[at + i]);
    }
    char field[9];
    std::snprintf(field, sizeof field, "%06o", sum);
    bytes.replace(at + kChecksum, 7, field, 7);
  }
}

void RepairZip(std::string& bytes) {
  constexpr std::string_view kCentral = "PK\x01\x02";
  constexpr size_t kCentralBytes = 46, kCrc = 16;
  for (size_t at = bytes.find(kCentral);
       at != std::string::npos && bytes.size() - at >= kCentralBytes;
       at = bytes.find(kCentral, at + 4)) {
    const uint32_t crc32 = Crc32(std::as_bytes(std::span(EntryData(bytes, at))));
    for (size_t i = 0; i < 4; ++i) bytes[at + kCrc + i] = static_cast<char>(crc32 >> (8 * i));
  }
}

}  // namespace nemo::fuzz
