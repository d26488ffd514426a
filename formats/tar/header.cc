#include "formats/tar/header.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <string_view>

#include "libcore/base/format.h"

namespace nemo::tar {
namespace {

// Fields of a header block: offset and size.
constexpr size_t kName = 0, kNameSize = 100;
constexpr size_t kSize = 124, kSizeSize = 12;
constexpr size_t kChecksum = 148, kChecksumSize = 8;
constexpr size_t kTypeFlag = 156;
constexpr size_t kMagic = 257;
constexpr size_t kPrefix = 345, kPrefixSize = 155;

std::string_view Field(const Block& block, size_t offset, size_t size) {
  return {reinterpret_cast<const char*>(block.data()) + offset, size};
}

/// Text up to the first NUL.
std::string_view Text(const Block& block, size_t offset, size_t size) {
  const std::string_view field = Field(block, offset, size);
  return field.substr(0, std::min(field.find('\0'), field.size()));
}

/// Blanks, octal digits, then blanks or NUL. Blanks alone are 0.
std::optional<int64_t> Octal(std::string_view field) {
  const size_t begin = std::min(field.find_first_not_of(' '), field.size());
  const size_t end = std::min(field.find_first_of(std::string_view(" \0", 2), begin), field.size());
  int64_t value = 0;
  for (const char c : field.substr(begin, end - begin)) {
    if (c < '0' || c > '7') return std::nullopt;
    if (value > (std::numeric_limits<int64_t>::max() >> 3)) return std::nullopt;
    value = value * 8 + (c - '0');
  }
  return value;
}

/// GNU's form of large numbers: a first byte 0x80, then a big-endian number.
std::optional<int64_t> Base256(std::string_view field) {
  if (static_cast<unsigned char>(field.front()) != 0x80) return std::nullopt;  // 0xff: negative
  int64_t value = 0;
  for (const char c : field.substr(1)) {
    if (value > (std::numeric_limits<int64_t>::max() >> 8)) return std::nullopt;
    value = value * 256 + static_cast<unsigned char>(c);
  }
  return value;
}

std::optional<int64_t> Number(std::string_view field) {
  return (static_cast<unsigned char>(field.front()) & 0x80) != 0 ? Base256(field) : Octal(field);
}

std::optional<int64_t> Decimal(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

Status ApplyRecord(std::string_view key, std::string_view value, PaxRecords& records) {
  if (key == "path") {
    records.path.reset();
    if (!value.empty()) records.path = std::string(value);
  } else if (key == "size") {
    records.size_bytes = Decimal(value);
    if (!value.empty() && !records.size_bytes) {
      return Corruption(Format("pax record size={}: not a number of bytes", value.substr(0, 40)));
    }
  } else if (key.starts_with("GNU.sparse.")) {
    records.sparse = true;
  }
  return OkStatus();
}

}  // namespace

bool IsZero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

bool ChecksumMatches(const Block& block) {
  const std::optional<int64_t> stored = Octal(Field(block, kChecksum, kChecksumSize));
  int64_t unsigned_sum = 0, signed_sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum && i < kChecksum + kChecksumSize;
    const auto byte =
        own ? static_cast<unsigned char>(' ') : std::to_integer<unsigned char>(block[i]);
    unsigned_sum += byte;
    signed_sum += static_cast<signed char>(byte);
  }
  return stored == unsigned_sum || stored == signed_sum;
}

bool HasUstarMagic(const Block& block) { return Field(block, kMagic, 5) == "ustar"; }

Result<Header> ParseHeader(const Block& block) {
  if (!ChecksumMatches(block)) {
    return Corruption("header checksum is wrong; the archive is damaged, copy it again");
  }
  Header header;
  header.name = Text(block, kName, kNameSize);
  // The prefix belongs to POSIX's form ("ustar" NUL); GNU's ("ustar" blank) has other things there.
  if (Field(block, kMagic, 6) == std::string_view("ustar\0", 6)) {
    const std::string_view prefix = Text(block, kPrefix, kPrefixSize);
    if (!prefix.empty()) header.name = Format("{}/{}", prefix, header.name);
  }
  const std::optional<int64_t> size = Number(Field(block, kSize, kSizeSize));
  if (!size) return Corruption(Format("member '{}': its size field is no number", header.name));
  header.size_bytes = *size;
  const char type = std::to_integer<char>(block[kTypeFlag]);
  header.type = type == '\0' || type == '7' ? Type::kFile : static_cast<Type>(type);
  // Before ustar a directory was a file whose name ends with a slash.
  if (header.type == Type::kFile && header.name.ends_with('/')) header.type = Type::kDirectory;
  return header;
}

Status ParsePax(std::string_view text, PaxRecords& records) {
  while (!text.empty() && text.front() != '\0') {
    const size_t blank = text.find(' ');
    const std::optional<int64_t> length =
        blank == std::string_view::npos ? std::nullopt : Decimal(text.substr(0, blank));
    if (!length || *length > static_cast<int64_t>(text.size()) ||
        *length <= static_cast<int64_t>(blank) + 1 ||
        text[static_cast<size_t>(*length) - 1] != '\n') {
      return Corruption("a pax record's length is wrong; the archive is damaged, copy it again");
    }
    const std::string_view record =
        text.substr(blank + 1, static_cast<size_t>(*length) - blank - 2);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return Corruption("a pax record has no '='");
    NEMO_RETURN_IF_ERROR(ApplyRecord(record.substr(0, equals), record.substr(equals + 1), records));
    text.remove_prefix(static_cast<size_t>(*length));
  }
  return OkStatus();
}

}  // namespace nemo::tar
