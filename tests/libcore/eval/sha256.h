// SHA-256 (FIPS 180-4): the pseudo-model of the hash oracles is made of it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nemo::eval::testing {

/// Copyable, so that what many texts begin with is hashed once.
class Sha256 {
 public:
  void Add(std::string_view bytes);
  /// The first 32 bits of the digest. The object is used up.
  uint32_t First();

 private:
  void Block();

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  size_t filled_ = 0;
  uint64_t num_bytes_ = 0;
};

}  // namespace nemo::eval::testing
