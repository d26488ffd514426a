// The weights of a Huffman code, packed by finite state entropy. Facts: RFC 8878, sections 4.1 and
// 4.2.1.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nemo::zstd {

/// Writes size and packed weights (at most 128 bytes together) of `weights`, each below 16, and
/// returns what follows them; nullptr when they are too few, all alike, or do not fit.
std::byte* PutFseWeights(std::span<const uint8_t> weights, std::byte* to);

/// Unpacks what stands behind the size. Returns the number of weights, 0: not understood. Hostile
/// input.
size_t ReadFseWeights(std::span<const std::byte> packed, std::span<uint8_t> weights);

}  // namespace nemo::zstd
