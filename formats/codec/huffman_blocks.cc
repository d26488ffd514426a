// Speed comes from looking up two bytes at once: a table with a row for each pair, of which weights
// use few. And from two streams at a time, which do not wait for each other.
#include "formats/codec/huffman_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "libcore/base/check.h"

namespace nemo::zstd {
namespace {

constexpr size_t kNumStreams = 4;
constexpr size_t kSlackBytes = 8;  ///< a stream is stored in whole words
constexpr size_t kSectionHeaderBytes = 5, kJumpTableBytes = 6;

/// Codes to add to a stream: their bits at the top of a word, their number at its bottom.
using Row = uint64_t;

/// The codes of two neighbours, the second below the first.
class PairTable {
 public:
  explicit PairTable(const HuffmanCode& code) : pairs_(ThisThread()) {
    std::array<uint8_t, 256> used;
    size_t num_used = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (code.length[byte] > 0) used[num_used++] = static_cast<uint8_t>(byte);
    }
    for (size_t i = 0; i < num_used; ++i) {
      const size_t second = used[i];
      const unsigned length = code.length[second];
      singles_[second] = MakeRow(code.code[second], length);
      for (size_t j = 0; j < num_used; ++j) {
        const size_t first = used[j];
        pairs_[first | (second << 8)] =
            MakeRow(code.code[second] | (uint64_t{code.code[first]} << length),
                    length + code.length[first]);
      }
    }
  }
  /// By first | second << 8, as two bytes are loaded.
  const Row* pairs() const { return pairs_; }
  const Row* singles() const { return singles_.data(); }

 private:
  static Row MakeRow(uint64_t bits, unsigned count) { return (bits << (64 - count)) | count; }
  /// Rows of pairs that do not occur are what an earlier table left there.
  static Row* ThisThread() {
    thread_local std::vector<Row> rows(size_t{1} << 16);
    return rows.data();
  }

  Row* pairs_;
  std::array<Row, 256> singles_ = {};
};

/// A stream on its way, from its last byte to its first. Bits enter at the top of a word and move
/// down, so that rows are added as they are: the counts at their bottom fall out again.
class Stream {
 public:
  Stream(std::span<const std::byte> bytes, std::byte* to)
      : begin_(bytes.data()), left_(bytes.size()), to_(to) {}

  size_t left() const { return left_; }
  void AddSingle(const Row* singles) { Add(singles[static_cast<size_t>(begin_[--left_])]); }
  void AddPair(const Row* pairs) {
    uint16_t pair;
    std::memcpy(&pair, begin_ + (left_ -= 2), sizeof(pair));
    Add(pairs[pair]);
  }
  /// After 44 bits at most.
  void Flush() {
    const auto count = static_cast<unsigned>(count_ & 0xff);
    const uint64_t bits = bits_ >> (-count & 63);
    std::memcpy(to_, &bits, sizeof(bits));
    to_ += count >> 3;
    count_ &= 7;
  }
  std::byte* Close() {
    constexpr Row kEndMark = (uint64_t{1} << 63) | 1;
    Add(kEndMark);
    Flush();
    return to_ + (count_ > 0 ? 1 : 0);
  }

 private:
  void Add(Row row) {
    bits_ = (bits_ >> (row & 63)) | row;
    count_ += row;  // all but the lowest byte means nothing
  }

  const std::byte* begin_;
  size_t left_;
  std::byte* to_;
  uint64_t bits_ = 0;
  uint64_t count_ = 0;
};

[[gnu::always_inline]] inline void PutFour(const Row* pairs, Stream& stream) {
  stream.AddPair(pairs);
  stream.AddPair(pairs);
  stream.Flush();
}

/// Two streams whose lengths may differ a little; returns where they end.
std::array<std::byte*, 2> PutTwo(const PairTable& table, Stream a, Stream b) {
  const Row* const pairs = table.pairs();
  const Row* const singles = table.singles();
  for (Stream* stream : {&a, &b}) {
    while (stream->left() % 4 != 0) stream->AddSingle(singles);
    stream->Flush();
  }
  while (a.left() > b.left()) PutFour(pairs, a);
  while (b.left() > a.left()) PutFour(pairs, b);
  Stream one = a, two = b;  // nobody takes their addresses: they stay in registers
  while (one.left() > 0) {
    PutFour(pairs, one);
    PutFour(pairs, two);
  }
  return {one.Close(), two.Close()};
}

size_t MaxStreamBytes(size_t size_bytes) {
  return size_bytes * HuffmanCode::kMaxLength / 8 + 1 + kSlackBytes;
}

std::byte* PutLittleEndian(uint64_t value, size_t size_bytes, std::byte* to) {
  for (size_t i = 0; i < size_bytes; ++i) *to++ = static_cast<std::byte>(value >> (8 * i));
  return to;
}

/// The jump table and four streams, each of a quarter of `bytes`.
std::byte* PutStreams(std::span<const std::byte> bytes, const PairTable& table, std::byte* to) {
  const size_t part = (bytes.size() + kNumStreams - 1) / kNumStreams;
  thread_local std::vector<std::byte> second;  // of each two, until its place is known
  second.resize(MaxStreamBytes(part));
  std::byte* jump = to;
  to += kJumpTableBytes;
  for (size_t i = 0; i < kNumStreams; i += 2) {
    const auto rest = bytes.subspan(i * part);
    const auto [end, second_end] =
        PutTwo(table, Stream(rest.first(part), to),
               Stream(rest.subspan(part, std::min(part, rest.size() - part)), second.data()));
    const auto size = static_cast<size_t>(end - to);
    const auto second_size = static_cast<size_t>(second_end - second.data());
    jump = PutLittleEndian(size, 2, jump);
    if (i == 0) jump = PutLittleEndian(second_size, 2, jump);
    std::memcpy(end, second.data(), second_size);
    to = end + second_size;
  }
  return to;
}

/// One block; with the code's description, or with that of the block before.
std::byte* PutBlock(std::span<const std::byte> bytes, const PairTable& table,
                    std::span<const std::byte> description, bool last, std::byte* to) {
  std::byte* block = to;
  std::byte* section = block + kBlockHeaderBytes;
  std::byte* content = section + kSectionHeaderBytes;
  if (!description.empty()) std::memcpy(content, description.data(), description.size());
  to = PutStreams(bytes, table, content + description.size());
  const unsigned type = description.empty() ? 3 : 2;  // treeless or compressed
  constexpr unsigned kFourStreamsSizesIn18Bits = 3;
  PutLittleEndian(type | (kFourStreamsSizesIn18Bits << 2) | (uint64_t{bytes.size()} << 4) |
                      (static_cast<uint64_t>(to - content) << 22),
                  kSectionHeaderBytes, section);
  *to++ = std::byte{0};  // no sequences
  PutBlockHeader(BlockType::kCompressed, static_cast<size_t>(to - section), last, block);
  return to;
}

}  // namespace

std::byte* PutBlockHeader(BlockType type, size_t size_bytes, bool last, std::byte* to) {
  const uint64_t header = (size_bytes << 3) | (static_cast<uint64_t>(type) << 1) | (last ? 1 : 0);
  return PutLittleEndian(header, kBlockHeaderBytes, to);
}

size_t MaxHuffmanBytes(size_t size_bytes) {
  const size_t blocks = size_bytes / kBlockBytes + 1;
  constexpr size_t kPerBlock = kBlockHeaderBytes + kSectionHeaderBytes + kJumpTableBytes + 1;
  return kMaxDescriptionBytes + blocks * (kPerBlock + kNumStreams * 2) + kSlackBytes +
         size_bytes * HuffmanCode::kMaxLength / 8;
}

std::byte* PutHuffmanBlocks(std::span<const std::byte> bytes, const HuffmanCode& code, bool last,
                            std::byte* to) {
  NEMO_CHECK(bytes.size() >= kMinHuffmanBytes);
  std::array<std::byte, kMaxDescriptionBytes> description;
  const std::byte* description_end = PutDescription(code, description.data());
  if (description_end == nullptr) return nullptr;
  std::span<const std::byte> described(description.data(), description_end);
  const PairTable table(code);
  const size_t blocks = (bytes.size() + kBlockBytes - 1) / kBlockBytes;
  const size_t size = (bytes.size() + blocks - 1) / blocks;
  for (size_t at = 0; at < bytes.size(); at += size) {
    const auto part = bytes.subspan(at, std::min(size, bytes.size() - at));
    to = PutBlock(part, table, described, last && at + part.size() == bytes.size(), to);
    described = {};
  }
  return to;
}

}  // namespace nemo::zstd
