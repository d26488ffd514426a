// The frame is laid out here, block by block: its header, then plane after plane. What codes do not
// shorten becomes raw blocks; what one code suits, blocks of ours with Huffman-coded literals. Other
// planes (mostly one byte, or short) come with all behind them from a frame of libzstd's, which
// finds their runs: its blocks may stand anywhere, because the first of them refers to nothing
// before it. Facts: RFC 8878, sections 3.1.1.1 (frame header) and 3.1.1.2 (blocks).
#include "formats/codec/entropy_frame.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>

#include <zstd.h>

#include "formats/codec/huffman_blocks.h"
#include "formats/codec/huffman_code.h"
#include "formats/codec/huffman_decode.h"
#include "formats/codec/shuffle.h"
#include "formats/codec/zstd_context.h"
#include "libcore/base/check.h"

namespace nemo::zstd {
namespace {

constexpr size_t kFrameHeaderBytes = 13;
constexpr unsigned kSingleSegment = 1u << 5;
constexpr unsigned kContentSizeIn8Bytes = 3u << 6;

/// Magic number and header of a frame whose window is its content of `size_bytes`.
std::byte* PutFrameHeader(size_t size_bytes, std::byte* to) {
  const uint64_t size = size_bytes;
  const std::array<uint8_t, 5> front = {0x28, 0xb5, 0x2f, 0xfd,
                                        uint8_t{kContentSizeIn8Bytes | kSingleSegment}};
  to = std::transform(front.begin(), front.end(), to, [](uint8_t byte) { return std::byte{byte}; });
  for (int shift = 0; shift < 64; shift += 8) *to++ = static_cast<std::byte>(size >> shift);
  return to;
}

/// Of a frame that libzstd wrote without a dictionary.
size_t SizeOfFrameHeader(const std::byte* frame) {
  const auto descriptor = static_cast<unsigned>(frame[4]);
  const bool single_segment = (descriptor & kSingleSegment) != 0;
  const size_t content_size_bytes[] = {single_segment ? size_t{1} : 0, 2, 4, 8};
  return 5 + (single_segment ? 0 : 1) + content_size_bytes[descriptor >> 6];
}

/// True when the low bytes of pairs are as good as evenly spread. Judged by a sample: the chance
/// that two of them agree is 1/256 then.
bool HasNoiseBelow(std::span<const std::byte> pairs) {
  constexpr size_t kSample = 1024;
  constexpr double kSlack = 1.25;  ///< at most 0.3 bit of 8 to gain
  const size_t count = pairs.size() / 2;
  const size_t sample = std::min(count, kSample);
  const size_t step = std::max<size_t>(1, count / kSample);
  std::array<uint32_t, 256> seen = {};
  for (size_t i = 0; i < sample; ++i) ++seen[static_cast<size_t>(pairs[2 * i * step])];
  double equal = 0;
  for (const uint32_t times : seen) equal += static_cast<double>(times) * (times - 1.0);
  return equal * 256 < kSlack * static_cast<double>(sample) * (static_cast<double>(sample) - 1);
}

/// Calls fill(offset, block) for the raw blocks of a plane.
template <typename Fill>
std::byte* PutRawBlocks(size_t size_bytes, bool last, std::byte* to, const Fill& fill) {
  for (size_t at = 0; at < size_bytes; at += kBlockBytes) {
    const size_t size = std::min(kBlockBytes, size_bytes - at);
    to = PutBlockHeader(BlockType::kRaw, size, last && at + size == size_bytes, to);
    fill(at, std::span(to, size));
    to += size;
  }
  return to;
}

std::byte* PutRawBlocks(std::span<const std::byte> plane, bool last, std::byte* to) {
  return PutRawBlocks(plane.size(), last, to, [&](size_t at, std::span<std::byte> block) {
    std::memcpy(block.data(), plane.data() + at, block.size());
  });
}

uint64_t TotalOf(const ByteCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

/// True when codes alone, of whole bits, come close to the entropy: no byte makes up half of all.
bool SuitsHuffman(const ByteCounts& counts) {
  return *std::max_element(counts.begin(), counts.end()) * uint64_t{2} <= TotalOf(counts);
}

/// At least one part in 64 is saved.
bool IsWorthwhile(const HuffmanCode& code, const ByteCounts& counts) {
  const uint64_t bits = 8 * TotalOf(counts);
  return CodedBits(code, counts) < bits - bits / 64;
}

/// A plane in blocks of ours; nullptr when they do not suit it.
std::byte* PutPlane(std::span<const std::byte> plane, bool last, std::byte* to) {
  if (plane.size() < kMinHuffmanBytes) return nullptr;
  const ByteCounts counts = CountBytes(plane);
  if (!SuitsHuffman(counts)) return nullptr;
  const HuffmanCode code = MakeHuffmanCode(counts);
  if (!IsWorthwhile(code, counts)) return PutRawBlocks(plane, last, to);
  std::byte* end = PutHuffmanBlocks(plane, code, last, to);
  // Where a sample misled the code.
  if (end != nullptr && end - to > std::ssize(plane)) return PutRawBlocks(plane, last, to);
  return end;
}

void Set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  NEMO_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
}

/// The blocks of a frame with `bytes`: match search looks at a few places only, and literals are
/// Huffman-coded all the same, which libzstd leaves out at its own fast levels.
std::byte* PutCodedBlocks(ZSTD_CCtx* context, std::span<const std::byte> bytes, std::byte* to) {
  constexpr auto kLiteralCompressionMode = ZSTD_c_experimentalParam5;
  NEMO_CHECK(!ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)));
  Set(context, ZSTD_c_compressionLevel, 1);
  Set(context, ZSTD_c_strategy, ZSTD_fast);
  Set(context, ZSTD_c_targetLength, ZSTD_cParam_getBounds(ZSTD_c_targetLength).upperBound);
  Set(context, ZSTD_c_hashLog, ZSTD_cParam_getBounds(ZSTD_c_hashLog).lowerBound);
  Set(context, ZSTD_c_minMatch, ZSTD_cParam_getBounds(ZSTD_c_minMatch).upperBound);
  Set(context, kLiteralCompressionMode, 1);
  const size_t room = ZSTD_compressBound(bytes.size());
  const size_t size = ZSTD_compress2(context, to, room, bytes.data(), bytes.size());
  NEMO_CHECK(!ZSTD_isError(size));
  const size_t header = SizeOfFrameHeader(to);
  std::memmove(to, to + header, size - header);
  return to + (size - header);
}

/// The raw blocks in front that hold `size_bytes` together, none of them the frame's last.
std::optional<std::vector<std::span<const std::byte>>> RawBlocks(std::span<const std::byte> blocks,
                                                                 size_t size_bytes) {
  std::vector<std::span<const std::byte>> found;
  while (size_bytes > 0) {
    if (blocks.size() < kBlockHeaderBytes) return std::nullopt;
    size_t header = 0;
    for (size_t i = kBlockHeaderBytes; i-- > 0;) {
      header = (header << 8) | static_cast<size_t>(blocks[i]);
    }
    const size_t size = header >> 3;
    constexpr size_t kLastBlockAndType = 7;
    blocks = blocks.subspan(kBlockHeaderBytes);
    if ((header & kLastBlockAndType) != 0 || size == 0 || size > kBlockBytes || size > size_bytes ||
        size > blocks.size()) {
      return std::nullopt;
    }
    found.push_back(blocks.first(size));
    blocks = blocks.subspan(size);
    size_bytes -= size;
  }
  return found;
}

/// Room for a frame, whatever becomes of each plane: no other way needs more.
size_t MaxBytes(size_t size_bytes, size_t item) {
  return kFrameHeaderBytes + item * MaxHuffmanBytes(size_bytes / item);
}

/// All planes, one after the other.
std::byte* PutPlanes(Workspace& workspace, std::span<const std::byte> elements, size_t item,
                     std::byte* to) {
  workspace.planes.resize(elements.size());
  Shuffle(elements, static_cast<int64_t>(item), workspace.planes);
  const std::span<const std::byte> planes(workspace.planes);
  const size_t size = elements.size() / item;
  for (size_t p = 0; p < item; ++p) {
    const bool last = p + 1 == item;
    const auto plane = planes.subspan(p * size, size);
    std::byte* end = PutPlane(plane, last, to);
    if (end == nullptr) {
      return PutCodedBlocks(workspace.compress.get(), planes.subspan(p * size), to);
    }
    to = end;
  }
  return to;
}

/// The same for pairs with noise below: its bytes go to their place in the frame at once.
std::byte* PutPairs(Workspace& workspace, std::span<const std::byte> elements, std::byte* to) {
  workspace.planes.resize(elements.size() / 2);
  const std::span<std::byte> high(workspace.planes);
  to = PutRawBlocks(high.size(), /*last=*/false, to, [&](size_t at, std::span<std::byte> block) {
    SplitPairs(elements.subspan(2 * at, 2 * block.size()), block, high.subspan(at, block.size()));
  });
  std::byte* end = PutPlane(high, /*last=*/true, to);
  return end != nullptr ? end : PutCodedBlocks(workspace.compress.get(), high, to);
}

}  // namespace

void AppendEntropyFrame(std::span<const std::byte> elements, int64_t item_size,
                        std::vector<std::byte>& out) {
  const auto item = static_cast<size_t>(item_size);
  Workspace& workspace = ThisThread();
  std::vector<std::byte>& frame = workspace.frame;
  frame.resize(std::max(frame.size(), MaxBytes(elements.size(), item)));
  std::byte* end = PutFrameHeader(elements.size(), frame.data());
  const bool noisy_pairs = item == 2 && HasNoiseBelow(elements);
  end =
      noisy_pairs ? PutPairs(workspace, elements, end) : PutPlanes(workspace, elements, item, end);
  out.insert(out.end(), frame.data(), end);
}

bool DecodePairs(std::span<const std::byte> frame, std::span<std::byte> out) {
  std::array<std::byte, kFrameHeaderBytes> header;
  PutFrameHeader(out.size(), header.data());
  if (out.size() % 2 != 0 || frame.size() < header.size() ||
      !std::equal(header.begin(), header.end(), frame.begin())) {
    return false;
  }
  const size_t half = out.size() / 2;
  const std::optional<std::vector<std::span<const std::byte>>> low =
      RawBlocks(frame.subspan(kFrameHeaderBytes), half);
  if (!low) return false;
  const size_t raw_bytes = half + low->size() * kBlockHeaderBytes;
  std::vector<std::byte>& planes = ThisThread().planes;
  planes.resize(half);
  if (!DecodeHuffmanBlocks(frame.subspan(kFrameHeaderBytes + raw_bytes), planes)) return false;
  const std::span<const std::byte> high(planes);
  size_t at = 0;
  for (const std::span<const std::byte> block : *low) {
    JoinPairs(block, high.subspan(at, block.size()), out.subspan(2 * at, 2 * block.size()));
    at += block.size();
  }
  return true;
}

}  // namespace nemo::zstd
