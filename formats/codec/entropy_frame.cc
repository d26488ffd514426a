// The frame is laid out here, block by block: a header of ours, raw blocks, then the blocks of a
// frame that libzstd made of the planes behind them. They may follow raw blocks, because a frame's
// first compressed block refers to nothing before it and raw blocks change no decoder state.
// Facts: RFC 8878, sections 3.1.1.1 (frame header) and 3.1.1.2 (blocks).
#include "formats/codec/entropy_frame.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <zstd.h>

#include "formats/codec/shuffle.h"
#include "formats/codec/zstd_context.h"
#include "libcore/base/check.h"

namespace nemo::zstd {
namespace {

constexpr size_t kBlockBytes = size_t{128} << 10;  ///< the format's limit
constexpr size_t kBlockHeaderBytes = 3;
constexpr size_t kMaxFrameHeaderBytes = 14;
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

std::byte* PutRawBlockHeader(size_t size_bytes, bool last, std::byte* to) {
  const size_t header = (size_bytes << 3) | (last ? 1 : 0);
  for (int shift = 0; shift < 24; shift += 8) *to++ = static_cast<std::byte>(header >> shift);
  return to;
}

/// Of a frame that libzstd wrote without a dictionary.
size_t FrameHeaderBytes(const std::byte* frame) {
  const auto descriptor = static_cast<unsigned>(frame[4]);
  const bool single_segment = (descriptor & kSingleSegment) != 0;
  const size_t content_size_bytes[] = {single_segment ? size_t{1} : 0, 2, 4, 8};
  return 5 + (single_segment ? 0 : 1) + content_size_bytes[descriptor >> 6];
}

/// True when the bytes of plane `byte` are as good as evenly spread. Judged by a sample: the chance
/// that two of its bytes agree is 1/256 then.
bool IsNoise(std::span<const std::byte> elements, size_t item, size_t byte) {
  constexpr size_t kSample = 4096;
  constexpr double kSlack = 1.25;  ///< at most 0.3 bit of 8 to gain
  const size_t count = elements.size() / item;
  const size_t sample = std::min(count, kSample);
  const size_t step = std::max<size_t>(1, count / kSample);
  std::array<uint32_t, 256> seen = {};
  for (size_t i = 0; i < sample; ++i) ++seen[static_cast<size_t>(elements[i * step * item + byte])];
  double pairs = 0;
  for (const uint32_t times : seen) pairs += static_cast<double>(times) * (times - 1.0);
  return pairs * 256 < kSlack * static_cast<double>(sample) * (static_cast<double>(sample) - 1);
}

/// Planes to store as they are, from the first one on.
size_t CountNoisePlanes(std::span<const std::byte> elements, size_t item) {
  size_t planes = 0;
  while (planes < item && IsNoise(elements, item, planes)) ++planes;
  return planes;
}

/// Raw blocks with all of plane 0 of 2-byte elements; plane 1 goes to `high`.
std::byte* PutLowBytes(std::span<const std::byte> elements, std::span<std::byte> high,
                       std::byte* to) {
  for (size_t at = 0; at < high.size(); at += kBlockBytes) {
    const size_t size = std::min(kBlockBytes, high.size() - at);
    to = PutRawBlockHeader(size, /*last=*/false, to);
    SplitPairs(elements.subspan(2 * at, 2 * size), {to, size}, high.subspan(at, size));
    to += size;
  }
  return to;
}

std::byte* PutRawBlocks(std::span<const std::byte> bytes, bool last, std::byte* to) {
  for (size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    const size_t size = std::min(kBlockBytes, bytes.size() - at);
    to = PutRawBlockHeader(size, last && at + size == bytes.size(), to);
    to = std::copy_n(bytes.data() + at, size, to);
  }
  return to;
}

void Set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  NEMO_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
}

/// The blocks of a frame with `bytes`: match search looks at a few places only, and literals are
/// Huffman-coded all the same, which libzstd leaves out at its own fast levels.
std::byte* PutCodedBlocks(ZSTD_CCtx* context, std::span<const std::byte> bytes, std::byte* to,
                          size_t room) {
  constexpr auto kLiteralCompressionMode = ZSTD_c_experimentalParam5;
  NEMO_CHECK(!ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)));
  Set(context, ZSTD_c_compressionLevel, 1);
  Set(context, ZSTD_c_strategy, ZSTD_fast);
  Set(context, ZSTD_c_targetLength, ZSTD_cParam_getBounds(ZSTD_c_targetLength).upperBound);
  Set(context, ZSTD_c_hashLog, ZSTD_cParam_getBounds(ZSTD_c_hashLog).lowerBound);
  Set(context, ZSTD_c_minMatch, ZSTD_cParam_getBounds(ZSTD_c_minMatch).upperBound);
  Set(context, kLiteralCompressionMode, 1);
  const size_t size = ZSTD_compress2(context, to, room, bytes.data(), bytes.size());
  NEMO_CHECK(!ZSTD_isError(size));
  const size_t header = FrameHeaderBytes(to);
  std::memmove(to, to + header, size - header);
  return to + (size - header);
}

}  // namespace

void AppendEntropyFrame(std::span<const std::byte> elements, int64_t item_size,
                        std::vector<std::byte>& out) {
  const auto item = static_cast<size_t>(item_size);
  const size_t plane_bytes = elements.size() / item;
  const size_t raw_planes = elements.empty() ? 0 : CountNoisePlanes(elements, item);
  const size_t raw_bytes = raw_planes * plane_bytes;
  const size_t coded_room = ZSTD_compressBound(elements.size() - raw_bytes);
  const size_t begin = out.size();
  out.resize(begin + kMaxFrameHeaderBytes + raw_bytes +
             kBlockHeaderBytes * (raw_bytes / kBlockBytes + 1) + coded_room);
  std::byte* to = PutFrameHeader(elements.size(), out.data() + begin);

  Workspace& workspace = ThisThread();
  std::vector<std::byte>& planes = workspace.planes;
  if (item == 2 && raw_planes == 1) {
    planes.resize(plane_bytes);
    to = PutLowBytes(elements, planes, to);
    to = PutCodedBlocks(workspace.compress.get(), planes, to, coded_room);
  } else {
    planes.resize(elements.size());
    Shuffle(elements, item_size, planes);
    const std::span<const std::byte> all(planes);
    to = PutRawBlocks(all.first(raw_bytes), raw_planes == item, to);
    if (raw_planes < item) {
      to = PutCodedBlocks(workspace.compress.get(), all.subspan(raw_bytes), to, coded_room);
    }
  }
  out.resize(static_cast<size_t>(to - out.data()));
}

}  // namespace nemo::zstd
