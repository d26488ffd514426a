// Frames of shuffled pairs: the quick decoder of our own ones is of libzstd's opinion or has none.
#include "formats/codec/zstd_frames.h"

#include <cstdlib>
#include <span>
#include <vector>

#include "formats/codec/shuffle.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kMaxContentBytes = int64_t{128} << 10;
  const auto frame = std::as_bytes(std::span(data, size));
  const nemo::fuzz::MemoryLimit limit(size, 16);
  const auto content = nemo::zstd::ContentBytes(frame);
  if (!content || *content > kMaxContentBytes || *content % 2 != 0) return 0;
  std::vector<std::byte> ours(static_cast<size_t>(*content)), planes(ours.size());
  const bool ours_ok = nemo::zstd::DecompressShuffled(frame, 2, ours).ok();
  if (ours_ok != nemo::zstd::Decompress(frame, planes).ok()) std::abort();
  if (!ours_ok) return 0;
  std::vector<std::byte> theirs(ours.size());
  nemo::Unshuffle(planes, 2, theirs);
  if (ours != theirs) std::abort();
  return 0;
}
