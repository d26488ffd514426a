// Philox4x32-10: a counter-based random generator, so that a draw depends on what it is for and on
// nothing that happened before. Facts: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011). Compiled for devices too: a draw has the same bits everywhere.
#pragma once

#include <array>
#include <cstdint>

#include "libcore/base/host_device.h"
#include "libcore/runtime/math.h"

namespace nemo {

/// Ten rounds over `counter` under `key`. Known answer for all-zero input: 6627e8d5 e169c58d
/// bc57ac4c 9b00dbd8.
NEMO_HOST_DEVICE inline std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                                           std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

/// What a draw is for. Equal fields give equal draws, on any layout, batch and machine.
struct DrawKey {
  uint64_t seed = 0;
  uint32_t position = 0;  ///< of the token being chosen
  uint32_t request = 0;
  uint32_t stream = 0;  ///< separates independent uses
};

/// A standard Gumbel variate for `token_id`: -log(-log(u)) with u uniform in (0, 1), 52 bits.
NEMO_HOST_DEVICE inline double Gumbel(const DrawKey& key, uint32_t token_id) {
  const auto words =
      Philox4x32({token_id, key.position, key.request, key.stream},
                 {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
  // 52 bits in the middle of their steps: exact in a double, never 0 and never 1.
  const uint64_t bits = (static_cast<uint64_t>(words[0]) << 20) | (words[1] >> 12);
  const double u = (static_cast<double>(bits) + 0.5) * 0x1p-52;
  return -LogF64(-LogF64(u));
}

}  // namespace nemo
