// Tar headers written field by field, so that tests can lie in any of them.
#pragma once

#include <cstdint>
#include <string>

namespace nemo::testing {

/// The fields of a ustar header, as text.
struct TarFields {
  std::string name;
  std::string size;  ///< 12 bytes at most; empty: from TarMember's data
  char type = '0';
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
  std::string prefix;
};

/// A 512-byte header with the right checksum.
std::string TarHeader(const TarFields& fields);
/// Sets the checksum of a header that was changed.
std::string WithChecksum(std::string header);
/// Header, data, padding.
std::string TarMember(TarFields fields, const std::string& data);
/// "28 path=..." with the length that counts itself.
std::string PaxRecord(const std::string& key, const std::string& value);
/// 0x80, then `value` big-endian.
std::string Base256(int64_t value);
/// Two blocks of zeros.
std::string TarEnd();

}  // namespace nemo::testing
