// A zstd frame of byte planes without match search, which costs most of a compressor's time and
// finds nothing in weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nemo::zstd {

/// Appends one frame that decodes to the shuffled `elements`. Planes that codes do not shorten (the
/// low bytes of floats) become raw blocks; the others are Huffman-coded.
void AppendEntropyFrame(std::span<const std::byte> elements, int64_t item_size,
                        std::vector<std::byte>& out);

/// Decodes such a frame of pairs, quicker than a general decoder, if its low bytes are raw and its
/// high bytes Huffman-coded. False: it is another frame, damaged perhaps; a general decoder has to
/// judge it. Hostile input.
bool DecodePairs(std::span<const std::byte> frame, std::span<std::byte> out);

}  // namespace nemo::zstd
