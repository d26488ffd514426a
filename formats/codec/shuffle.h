// Byte shuffle: byte b of every element goes into plane b. Signs and exponents of weights then lie
// side by side, where an entropy coder finds their skew. The layout of HDF5's shuffle filter (id
// 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nemo {

/// planes[b * n + i] = elements[i * item_size + b] for n whole elements. Equal sizes, multiples of
/// `item_size`; the buffers do not overlap.
void Shuffle(std::span<const std::byte> elements, int64_t item_size, std::span<std::byte> planes);
/// The inverse.
void Unshuffle(std::span<const std::byte> planes, int64_t item_size, std::span<std::byte> elements);

/// Shuffle of 2-byte elements whose two planes lie apart; all of `low` and `high` is filled.
void SplitPairs(std::span<const std::byte> elements, std::span<std::byte> low,
                std::span<std::byte> high);
/// The inverse.
void JoinPairs(std::span<const std::byte> low, std::span<const std::byte> high,
               std::span<std::byte> elements);

}  // namespace nemo
