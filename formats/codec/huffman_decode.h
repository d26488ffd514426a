// The inverse of huffman_blocks.h, quicker than a general decoder: several bytes come from one look
// into a table.
#pragma once

#include <cstddef>
#include <span>

namespace nemo::zstd {

/// Decodes all of a frame's last blocks, as PutHuffmanBlocks writes them, to `out`. False: they are
/// other blocks, damaged perhaps; a general decoder has to judge them. Hostile input.
bool DecodeHuffmanBlocks(std::span<const std::byte> blocks, std::span<std::byte> out);

}  // namespace nemo::zstd
