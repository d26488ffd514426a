// Blocks of a zstd frame whose literals are Huffman-coded and that copy nothing from before: all
// that weights need. One code serves a whole plane. Facts: RFC 8878, section 3.1.1.3.1.
#pragma once

#include <cstddef>
#include <span>

#include "formats/codec/huffman_code.h"

namespace nemo::zstd {

/// The format's limit for what a block holds.
inline constexpr size_t kBlockBytes = size_t{128} << 10;
inline constexpr size_t kBlockHeaderBytes = 3;

enum class BlockType { kRaw = 0, kCompressed = 2 };
/// `size_bytes` stand behind the header.
std::byte* PutBlockHeader(BlockType type, size_t size_bytes, bool last, std::byte* to);

/// Planes smaller than this are not worth it.
inline constexpr size_t kMinHuffmanBytes = 4096;

/// Room that PutHuffmanBlocks needs for `size_bytes`, whatever they are.
size_t MaxHuffmanBytes(size_t size_bytes);
/// Writes blocks that hold `bytes` (kMinHuffmanBytes at least), all of which have a code, and
/// returns what follows them; nullptr when the code has no description.
std::byte* PutHuffmanBlocks(std::span<const std::byte> bytes, const HuffmanCode& code, bool last,
                            std::byte* to);

}  // namespace nemo::zstd
