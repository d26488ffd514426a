// Huffman codes as zstd frames hold them: lengths, canonical codes, and the description that a
// decoder reads. Facts: RFC 8878, section 4.2.1 (Huffman tree description) and 4.1 (FSE, which
// packs the description).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace nemo::zstd {

using ByteCounts = std::array<uint32_t, 256>;

/// How often each byte occurs, at least roughly: large spans with few different bytes are judged by
/// a quarter of them. Every byte that occurs has a count, but some that have one may not occur.
/// Less than 2^32 bytes.
ByteCounts CountBytes(std::span<const std::byte> bytes);

/// A complete prefix code: the code of byte b has `length[b]` bits (0: it does not occur, at most
/// kMaxLength), which are the low ones of `code[b]`.
struct HuffmanCode {
  static constexpr int kMaxLength = 11;
  std::array<uint8_t, 256> length = {};
  std::array<uint16_t, 256> code = {};
};

/// The code for bytes that occur that often: as short as can be, but for the limit. At least two
/// different bytes must occur (NEMO_CHECK).
HuffmanCode MakeHuffmanCode(const ByteCounts& counts);

/// Bits of all bytes that were counted.
uint64_t CodedBits(const HuffmanCode& code, const ByteCounts& counts);

inline constexpr size_t kMaxDescriptionBytes = 128;
/// Writes the description (kMaxDescriptionBytes at most) and returns what follows it; nullptr when
/// the code has no description, which happens to odd ones.
std::byte* PutDescription(const HuffmanCode& code, std::byte* to);

/// Reads a description from the front of `bytes`, which then begin behind it. nullopt: none that is
/// understood here, whatever other decoders say. Hostile input.
std::optional<HuffmanCode> TakeDescription(std::span<const std::byte>& bytes);

}  // namespace nemo::zstd
