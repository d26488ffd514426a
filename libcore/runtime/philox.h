// Philox4x32-10: a counter-based random generator, so that a draw depends on what it is for and on
// nothing that happened before. Facts: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011).
#pragma once

#include <array>
#include <cstdint>

namespace nemo {

/// Ten rounds over `counter` under `key`. Known answer for all-zero input: 6627e8d5 e169c58d
/// bc57ac4c 9b00dbd8.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a draw is for. Equal fields give equal draws, on any layout, batch and machine.
struct DrawKey {
  uint64_t seed = 0;
  uint32_t position = 0;  ///< of the token being chosen
  uint32_t request = 0;
  uint32_t stream = 0;  ///< separates independent uses
};

/// A standard Gumbel variate for `token_id`: -log(-log(u)) with u uniform in (0, 1), 52 bits.
double Gumbel(const DrawKey& key, uint32_t token_id);

}  // namespace nemo
