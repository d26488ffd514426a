#include "libcore/convert/compression.h"

#include <charconv>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int kMaxLevel = 19;
constexpr std::string_view kNone = "none", kZstd = "zstd";

}  // namespace

std::string ToString(const Compression& compression) {
  if (!compression.zstd) return std::string(kNone);
  return compression.level == 0 ? std::string(kZstd) : Format("{}:{}", kZstd, compression.level);
}

Result<Compression> ParseCompression(std::string_view text) {
  if (text == kNone) return Compression{};
  if (text == kZstd) return Compression{true, 0};
  if (text.starts_with("zstd:")) {
    Compression compression{true, 0};
    const std::string_view digits = text.substr(5);
    const auto parsed =
        std::from_chars(digits.data(), digits.data() + digits.size(), compression.level);
    if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size() &&
        compression.level >= 1 && compression.level <= kMaxLevel) {
      return compression;
    }
  }
  return InvalidArgument(Format(
      "'{}' is not one of none, zstd, zstd:LEVEL with a level from 1 to {}", text, kMaxLevel));
}

}  // namespace nemo
