// Numbers with the spread and the entropy of weights, at any place of an endless row: whoever reads
// element i of row `seed`, in whatever piece, gets the same number.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "libcore/tensor/dtype.h"

namespace nemo {

/// Elements begin, begin + 1, ... of row `seed`: normally distributed with deviation
/// kRandomDeviation, never zero or denormal. About 1 GB/s on one thread.
inline constexpr float kRandomDeviation = 0.02f;
void RandomBF16(uint64_t seed, int64_t begin, std::span<BF16> out);

/// The same with `threads` threads.
void RandomBF16(uint64_t seed, std::span<BF16> out, int threads);

/// A seed for a name.
uint64_t SeedOf(std::string_view name);

}  // namespace nemo
