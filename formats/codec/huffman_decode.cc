#include "formats/codec/huffman_decode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "formats/codec/huffman_blocks.h"
#include "formats/codec/huffman_code.h"

namespace nemo::zstd {
namespace {

constexpr unsigned kMaxBits = HuffmanCode::kMaxLength;
constexpr size_t kWindows = size_t{1} << kMaxBits;
constexpr size_t kMaxAtOnce = 4;

/// What a window of kMaxBits bits begins with.
struct Entry {
  uint32_t lengths = 0;  ///< bits of the codes, and from bit 8 on the number of the bytes
  std::array<std::byte, kMaxAtOnce> bytes = {};
};

class DecodeTable {
 public:
  /// Of a complete code.
  explicit DecodeTable(const HuffmanCode& code) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const unsigned length = code.length[byte];
      if (length == 0) continue;
      const size_t first = size_t{code.code[byte]} << (kMaxBits - length);
      std::fill_n(singles_.begin() + static_cast<ptrdiff_t>(first), kWindows >> length,
                  static_cast<uint16_t>(byte | (length << 8)));
    }
    for (size_t window = 0; window < kWindows; ++window) entries_[window] = Gather(window);
  }
  const Entry* entries() const { return entries_.data(); }
  /// The first byte of a window, and in bits 8 to 15 the length of its code.
  unsigned Single(size_t window) const { return singles_[window]; }

 private:
  Entry Gather(size_t window) const {
    Entry entry;
    unsigned bits = 0;
    for (size_t count = 0; count < kMaxAtOnce; ++count) {
      const unsigned single = singles_[(window << bits) % kWindows];
      if (bits + (single >> 8) > kMaxBits) break;
      entry.bytes[count] = static_cast<std::byte>(single);
      bits += single >> 8;
      entry.lengths = bits | static_cast<uint32_t>((count + 1) << 8);
    }
    return entry;
  }

  std::array<uint16_t, kWindows> singles_;
  std::array<Entry, kWindows> entries_;
};

/// A stream on its way, from its last bit to its first.
struct Stream {
  const std::byte* begin;
  const std::byte* at;  ///< the word of which the next bits are the top, after `used` bits
  unsigned used;
  std::byte* out;
  std::byte* out_end;

  /// `bytes` has a word at least. False: it does not end with a mark.
  static std::optional<Stream> Open(std::span<const std::byte> bytes, std::span<std::byte> out) {
    if (bytes.size() < sizeof(uint64_t)) return std::nullopt;
    const auto last = static_cast<unsigned>(bytes.back());
    if (last == 0) return std::nullopt;
    return Stream{bytes.data(), bytes.data() + bytes.size() - sizeof(uint64_t),
                  9 - static_cast<unsigned>(std::bit_width(last)), out.data(),
                  out.data() + out.size()};
  }
};

constexpr unsigned kLooksPerWord = 5;  ///< 55 bits, and 7 that were used before

uint64_t LoadWord(const std::byte* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

[[gnu::always_inline]] inline void TakeWord(const Entry* entries, Stream& stream) {
  uint64_t bits = LoadWord(stream.at) << stream.used;
  uint64_t taken =
      0;  // sums of the lower fields, which do not overflow; what is above means nothing
  for (unsigned i = 0; i < kLooksPerWord; ++i) {
    const Entry& entry = entries[bits >> (64 - kMaxBits)];
    std::memcpy(stream.out + ((taken >> 8) & 0xff), &entry.bytes, sizeof(entry.bytes));
    bits <<= entry.lengths & 63;
    taken += entry.lengths;
  }
  stream.out += (taken >> 8) & 0xff;
  stream.used += static_cast<unsigned>(taken & 0xff);
  stream.at -= stream.used >> 3;
  stream.used &= 7;
}

/// Room for a word's looks on either side.
bool HasRoom(const Stream& stream) {
  return stream.at - stream.begin >= static_cast<ptrdiff_t>(sizeof(uint64_t)) &&
         stream.out_end - stream.out >= static_cast<ptrdiff_t>(kLooksPerWord * kMaxAtOnce);
}

/// The rest of a stream, byte by byte. False: bits are left over, or too few.
bool Finish(const DecodeTable& table, Stream& stream) {
  // Bits before the next one that have not been used.
  int64_t left = (stream.at - stream.begin) * 8 + 64 - static_cast<int64_t>(stream.used);
  while (stream.out < stream.out_end) {
    if (left <= 0) return false;
    const int64_t byte = std::max<int64_t>(0, left - 57) / 8;
    // The next bits at the top of a word, zeros behind the last.
    const uint64_t bits = LoadWord(stream.begin + byte) << (64 - (left - 8 * byte));
    const unsigned single = table.Single(bits >> (64 - kMaxBits));
    *stream.out++ = static_cast<std::byte>(single);
    left -= single >> 8;
  }
  return left == 0;
}

/// All streams at once: their looks do not wait for each other.
bool DecodeStreams(const DecodeTable& table, std::array<Stream, 4> streams) {
  const Entry* const entries = table.entries();
  while (std::all_of(streams.begin(), streams.end(), HasRoom)) {
    for (Stream& stream : streams) TakeWord(entries, stream);
  }
  return std::all_of(streams.begin(), streams.end(),
                     [&](Stream& stream) { return Finish(table, stream); });
}

uint64_t LittleEndian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<uint64_t>(bytes[i]);
  return value;
}

/// Decodes the four streams behind a jump table.
bool DecodeLiterals(const DecodeTable& table, std::span<const std::byte> in,
                    std::span<std::byte> out) {
  constexpr size_t kJumpTableBytes = 6;
  const size_t part = (out.size() + 3) / 4;
  if (in.size() < kJumpTableBytes || out.size() < 3 * part) return false;
  std::span<const std::byte> rest = in.subspan(kJumpTableBytes);
  std::array<Stream, 4> streams;
  for (size_t i = 0; i < 4; ++i) {
    const size_t size = i < 3 ? LittleEndian(in.subspan(2 * i, 2)) : rest.size();
    if (size > rest.size()) return false;
    const auto stream =
        Stream::Open(rest.first(size), out.subspan(i * part, i < 3 ? part : out.size() - 3 * part));
    if (!stream) return false;
    streams[i] = *stream;
    rest = rest.subspan(size);
  }
  return DecodeStreams(table, streams);
}

/// Takes blocks one after the other; keeps the table for those that bring none.
class BlockDecoder {
 public:
  /// One block of `content`, to the front of `out`; the bytes it made, 0: it is not ours.
  size_t Decode(std::span<const std::byte> content, std::span<std::byte> out) {
    constexpr size_t kSectionHeaderBytes = 5;
    if (content.size() <= kSectionHeaderBytes || content.back() != std::byte{0}) return 0;
    const uint64_t header = LittleEndian(content.first(kSectionHeaderBytes));
    const uint64_t type = header & 3, size_format = (header >> 2) & 3;
    const size_t size = (header >> 4) & 0x3ffff, stored = header >> 22;
    std::span<const std::byte> section = content.subspan(kSectionHeaderBytes);
    constexpr uint64_t kCompressed = 2, kFourStreamsSizesIn18Bits = 3;
    // The byte behind the literals says that there are no sequences.
    if (type < kCompressed || size_format != kFourStreamsSizesIn18Bits ||
        stored + 1 != section.size() || size == 0 || size > out.size() || size > kBlockBytes) {
      return 0;
    }
    section = section.first(stored);
    if (type == kCompressed) {
      const auto code = TakeDescription(section);
      if (!code) return 0;
      table_.emplace(*code);
    }
    return table_ && DecodeLiterals(*table_, section, out.first(size)) ? size : 0;
  }

 private:
  std::optional<DecodeTable> table_;
};

}  // namespace

bool DecodeHuffmanBlocks(std::span<const std::byte> blocks, std::span<std::byte> out) {
  BlockDecoder decoder;
  for (bool last = false; !last;) {
    if (blocks.size() < kBlockHeaderBytes) return false;
    const uint64_t header = LittleEndian(blocks.first(kBlockHeaderBytes));
    blocks = blocks.subspan(kBlockHeaderBytes);
    last = (header & 1) != 0;
    const size_t content = header >> 3;
    if (((header >> 1) & 3) != static_cast<uint64_t>(BlockType::kCompressed) ||
        content > blocks.size()) {
      return false;
    }
    const size_t size = decoder.Decode(blocks.first(content), out);
    if (size == 0) return false;
    out = out.subspan(size);
    blocks = blocks.subspan(content);
  }
  return out.empty() && blocks.empty();
}

}  // namespace nemo::zstd
