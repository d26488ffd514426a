// Plain loops that compilers turn into vector code (this file is compiled with -O3): pairs of bytes
// pass at the speed of a copy.
#include "formats/codec/shuffle.h"

#include <algorithm>

#include "libcore/base/check.h"

namespace nemo {
namespace {

constexpr size_t kBlock = 1024;  ///< elements: all planes of a block stay in the first cache

void Split(const std::byte* __restrict elements, size_t count, std::byte* __restrict low,
           std::byte* __restrict high) {
  for (size_t i = 0; i < count; ++i) {
    low[i] = elements[2 * i];
    high[i] = elements[2 * i + 1];
  }
}

void Join(const std::byte* __restrict low, const std::byte* __restrict high, size_t count,
          std::byte* __restrict elements) {
  for (size_t i = 0; i < count; ++i) {
    elements[2 * i] = low[i];
    elements[2 * i + 1] = high[i];
  }
}

size_t CountElements(size_t size_bytes, size_t other_size_bytes, int64_t item_size) {
  const auto item = static_cast<size_t>(item_size);
  NEMO_CHECK(item_size > 0 && size_bytes == other_size_bytes && size_bytes % item == 0);
  return size_bytes / item;
}

/// Calls visit(first element, elements of the block, byte of the element) for all of them.
template <typename Visit>
void ForEachBlock(size_t count, size_t item, const Visit& visit) {
  for (size_t first = 0; first < count; first += kBlock) {
    for (size_t byte = 0; byte < item; ++byte) visit(first, std::min(kBlock, count - first), byte);
  }
}

}  // namespace

void Shuffle(std::span<const std::byte> elements, int64_t item_size, std::span<std::byte> planes) {
  const size_t count = CountElements(elements.size(), planes.size(), item_size);
  const auto item = static_cast<size_t>(item_size);
  if (item == 2) return Split(elements.data(), count, planes.data(), planes.data() + count);
  ForEachBlock(count, item, [&](size_t first, size_t size, size_t byte) {
    const std::byte* from = elements.data() + first * item + byte;
    std::byte* to = planes.data() + byte * count + first;
    for (size_t i = 0; i < size; ++i) to[i] = from[i * item];
  });
}

void Unshuffle(std::span<const std::byte> planes, int64_t item_size,
               std::span<std::byte> elements) {
  const size_t count = CountElements(elements.size(), planes.size(), item_size);
  const auto item = static_cast<size_t>(item_size);
  if (item == 2) return Join(planes.data(), planes.data() + count, count, elements.data());
  ForEachBlock(count, item, [&](size_t first, size_t size, size_t byte) {
    const std::byte* from = planes.data() + byte * count + first;
    std::byte* to = elements.data() + first * item + byte;
    for (size_t i = 0; i < size; ++i) to[i * item] = from[i];
  });
}

void SplitPairs(std::span<const std::byte> elements, std::span<std::byte> low,
                std::span<std::byte> high) {
  NEMO_CHECK(elements.size() == low.size() + high.size() && low.size() == high.size());
  Split(elements.data(), low.size(), low.data(), high.data());
}

void JoinPairs(std::span<const std::byte> low, std::span<const std::byte> high,
               std::span<std::byte> elements) {
  NEMO_CHECK(elements.size() == low.size() + high.size() && low.size() == high.size());
  Join(low.data(), high.data(), low.size(), elements.data());
}

}  // namespace nemo
