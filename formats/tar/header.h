// One 512-byte tar header block, and the records of a pax extended header, as plain data. The
// inside of tar.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo::tar {

constexpr int64_t kBlockBytes = 512;
using Block = std::array<std::byte, kBlockBytes>;

/// typeflag values that the reader tells apart; '\0' and '7' become kFile.
enum class Type : char {
  kFile = '0',
  kHardLink = '1',
  kSymbolicLink = '2',
  kCharacterDevice = '3',
  kBlockDevice = '4',
  kDirectory = '5',
  kFifo = '6',
  kPaxGlobal = 'g',
  kPax = 'x',
  kGnuLongName = 'L',
  kGnuLongLink = 'K',
  kGnuVolumeLabel = 'V',
};

struct Header {
  std::string name;  ///< prefix and name joined, as written
  int64_t size_bytes = 0;
  Type type = Type::kFile;  ///< any other character is kept as it is
};

bool IsZero(const Block& block);
/// The stored checksum is the sum of the bytes (signed or unsigned), its own field taken as blanks.
bool ChecksumMatches(const Block& block);
bool HasUstarMagic(const Block& block);
/// kCorruption: checksum, or a size that is neither octal nor base-256 within 63 bits.
Result<Header> ParseHeader(const Block& block);

/// What a pax extended header says beyond the header itself.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<int64_t> size_bytes;
  bool sparse = false;  ///< GNU.sparse.*: name and size are not what they seem
};

/// Adds the records `length key=value\n` of `text` to `records`; an empty value takes back an
/// earlier one. kCorruption: a length that lies, a size that is no number.
Status ParsePax(std::string_view text, PaxRecords& records);

}  // namespace nemo::tar
