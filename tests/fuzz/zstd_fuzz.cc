// Compressed elements: what we compress is what comes back, and the input is taken for a frame.
// The first two bytes choose the element's size and the level.
#include <algorithm>
#include <span>
#include <vector>

#include "formats/codec/zstd_frames.h"
#include "libcore/base/check.h"
#include "tests/fuzz/harness.h"

namespace {

constexpr int64_t kMaxContentBytes = int64_t{64} << 10;

void RoundTrip(std::span<const std::byte> bytes, int64_t item_size, int level) {
  const auto elements = bytes.first(bytes.size() - bytes.size() % static_cast<size_t>(item_size));
  std::vector<std::byte> frame;
  nemo::zstd::AppendShuffled(elements, item_size, level, frame);
  std::vector<std::byte> back(elements.size());
  NEMO_CHECK(nemo::zstd::DecompressShuffled(frame, item_size, back).ok());
  NEMO_CHECK(std::equal(back.begin(), back.end(), elements.begin()));
}

void TakeForFrame(std::span<const std::byte> frame, int64_t item_size) {
  const auto content = nemo::zstd::ContentBytes(frame);
  const int64_t size = content && *content <= kMaxContentBytes ? *content : kMaxContentBytes;
  std::vector<std::byte> out(static_cast<size_t>(size - size % item_size));
  static_cast<void>(nemo::zstd::DecompressShuffled(frame, item_size, out).ok());
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const int64_t item_size = int64_t{1} << (data[0] % 4);
  const int level = data[1] % 4;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(2);
  const nemo::fuzz::MemoryLimit limit(size, 16);
  RoundTrip(bytes, item_size, level);
  TakeForFrame(bytes, item_size);
  return 0;
}
