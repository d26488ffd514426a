#include "formats/codec/huffman_code.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstring>
#include <queue>
#include <utility>
#include <vector>

#include "formats/codec/fse_weights.h"
#include "libcore/base/check.h"

namespace nemo::zstd {
namespace {

constexpr int kMax = HuffmanCode::kMaxLength;
constexpr size_t kMaxDirectWeights = 128;
constexpr size_t kSampleBytes = size_t{16} << 10;
/// With more kinds of bytes too many codes would go to those that do not occur.
constexpr size_t kMaxSampledKinds = 80;

/// Lengths of the optimal code for `counts`, however long.
std::vector<int> OptimalLengths(const std::vector<uint32_t>& counts) {
  using Node = std::pair<uint64_t, size_t>;  // count, index
  std::priority_queue<Node, std::vector<Node>, std::greater<>> open;
  std::vector<size_t> parent(2 * counts.size() - 1);
  for (size_t i = 0; i < counts.size(); ++i) open.push({counts[i], i});
  for (size_t next = counts.size(); open.size() > 1; ++next) {
    const Node a = open.top();
    open.pop();
    const Node b = open.top();
    open.pop();
    parent[a.second] = parent[b.second] = next;
    open.push({a.first + b.first, next});
  }
  std::vector<int> depth(parent.size());
  for (size_t i = parent.size() - 1; i-- > 0;) depth[i] = depth[parent[i]] + 1;
  depth.resize(counts.size());
  return depth;
}

/// Share of the code space, in codes of the greatest length.
int Space(int length) { return 1 << (kMax - length); }

/// Cuts lengths at the limit, and makes the code complete again at the least cost: the rarest give
/// room, the most frequent take what is left. `lengths` are in falling order of frequency.
void LimitLengths(std::vector<int>& lengths) {
  int used = 0;
  for (int& length : lengths) {
    length = std::min(length, kMax);
    used += Space(length);
  }
  for (size_t i = lengths.size(); used > Space(0);) {
    i = i == 0 ? lengths.size() - 1 : i - 1;
    while (lengths[i] < kMax && used > Space(0)) used -= Space(++lengths[i]);
  }
  for (bool changed = true; changed && used < Space(0);) {
    changed = false;
    for (int& length : lengths) {
      if (length == 1 || Space(length) > Space(0) - used) continue;
      used += Space(length--);
      changed = true;
    }
  }
  NEMO_CHECK(used == Space(0));
}

/// Longest codes first, bytes of one length in their own order, as decoders count them.
void AssignCodes(HuffmanCode& code) {
  int at = 0;  // in codes of the greatest length
  for (int length = kMax; length > 0; --length) {
    for (size_t byte = 0; byte < 256; ++byte) {
      if (code.length[byte] != length) continue;
      code.code[byte] = static_cast<uint16_t>(at >> (kMax - length));
      at += Space(length);
    }
  }
}

/// Two weights to a byte.
std::byte* PutDirect(std::span<const uint8_t> weights, std::byte* to) {
  *to++ = static_cast<std::byte>(127 + weights.size());
  for (size_t i = 0; i < weights.size(); i += 2) {
    const unsigned low = i + 1 < weights.size() ? weights[i + 1] : 0u;
    *to++ = static_cast<std::byte>((unsigned{weights[i]} << 4) | low);
  }
  return to;
}

using ByteSet = std::bitset<256>;

/// Bytes from the least to the greatest of either half, which hold all that occur: weights of
/// either sign have neighbouring exponents. As quick as a copy.
ByteSet PresentBytes(std::span<const std::byte> bytes) {
  // As numbers from 0: the extremes of the whole. Turned round in the middle: those that face it.
  uint8_t least = 255, greatest = 0, least_turned = 255, greatest_turned = 0;
  for (const std::byte each : bytes) {
    const auto byte = static_cast<uint8_t>(each);
    const auto turned = static_cast<uint8_t>(byte ^ 0x80);
    least = std::min(least, byte);
    greatest = std::max(greatest, byte);
    least_turned = std::min(least_turned, turned);
    greatest_turned = std::max(greatest_turned, turned);
  }
  const int inner_low = greatest_turned ^ 0x80, inner_high = least_turned ^ 0x80;
  ByteSet present;
  for (int byte = least; byte <= std::min<int>(127, inner_low); ++byte) present.set(byte);
  for (int byte = std::max<int>(128, inner_high); byte <= greatest; ++byte) present.set(byte);
  return present;
}

void AddCounts(std::span<const std::byte> bytes, ByteCounts& counts) {
  // Four tables, so that equal bytes in a row do not wait for each other.
  ByteCounts first = {}, second = {}, third = {}, fourth = {};
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    ++first[static_cast<size_t>(bytes[i])];
    ++second[static_cast<size_t>(bytes[i + 1])];
    ++third[static_cast<size_t>(bytes[i + 2])];
    ++fourth[static_cast<size_t>(bytes[i + 3])];
  }
  for (; i < bytes.size(); ++i) ++first[static_cast<size_t>(bytes[i])];
  for (size_t b = 0; b < 256; ++b) counts[b] += first[b] + second[b] + third[b] + fourth[b];
}

/// The code whose first `count` bytes have these weights; that of the next one follows from them.
std::optional<HuffmanCode> CodeOf(std::array<uint8_t, 256> weights, size_t count) {
  unsigned used = 0;  // in codes of the greatest length
  for (size_t byte = 0; byte < count; ++byte) {
    if (weights[byte] > kMax) return std::nullopt;
    if (weights[byte] > 0) used += 1u << (weights[byte] - 1);
  }
  const int longest = static_cast<int>(std::bit_width(used));
  if (used == 0 || longest > kMax) return std::nullopt;
  const unsigned left = (1u << longest) - used;
  if (!std::has_single_bit(left)) return std::nullopt;
  weights[count] = static_cast<uint8_t>(std::bit_width(left));
  HuffmanCode code;
  for (size_t byte = 0; byte <= count; ++byte) {
    if (weights[byte] == 0) continue;
    code.length[byte] = static_cast<uint8_t>(longest + 1 - weights[byte]);
  }
  AssignCodes(code);
  return code;
}

}  // namespace

ByteCounts CountBytes(std::span<const std::byte> bytes) {
  ByteCounts counts = {};
  const ByteSet present = PresentBytes(bytes);
  const bool sample = bytes.size() >= 4 * kSampleBytes && present.count() <= kMaxSampledKinds;
  const size_t step = sample ? 4 * kSampleBytes : kSampleBytes;
  for (size_t at = 0; at < bytes.size(); at += step) {
    AddCounts(bytes.subspan(at, std::min(kSampleBytes, bytes.size() - at)), counts);
  }
  for (size_t byte = 0; sample && byte < 256; ++byte) {
    if (present[byte] && counts[byte] == 0) counts[byte] = 1;
  }
  return counts;
}

HuffmanCode MakeHuffmanCode(const ByteCounts& counts) {
  std::vector<uint8_t> bytes;
  for (size_t byte = 0; byte < 256; ++byte) {
    if (counts[byte] > 0) bytes.push_back(static_cast<uint8_t>(byte));
  }
  NEMO_CHECK(bytes.size() >= 2);
  std::stable_sort(bytes.begin(), bytes.end(),
                   [&](uint8_t a, uint8_t b) { return counts[a] > counts[b]; });
  std::vector<uint32_t> sorted;
  for (const uint8_t byte : bytes) sorted.push_back(counts[byte]);
  std::vector<int> lengths = OptimalLengths(sorted);
  LimitLengths(lengths);
  HuffmanCode code;
  for (size_t i = 0; i < bytes.size(); ++i) {
    code.length[bytes[i]] = static_cast<uint8_t>(lengths[i]);
  }
  AssignCodes(code);
  return code;
}

uint64_t CodedBits(const HuffmanCode& code, const ByteCounts& counts) {
  uint64_t bits = 0;
  for (size_t byte = 0; byte < 256; ++byte) bits += uint64_t{counts[byte]} * code.length[byte];
  return bits;
}

std::byte* PutDescription(const HuffmanCode& code, std::byte* to) {
  const int longest = *std::max_element(code.length.begin(), code.length.end());
  size_t last = 255;
  while (code.length[last] == 0) --last;
  // The weight of the last byte follows from the others.
  std::array<uint8_t, 255> weights = {};
  for (size_t byte = 0; byte < last; ++byte) {
    const int length = code.length[byte];
    weights[byte] = static_cast<uint8_t>(length == 0 ? 0 : longest + 1 - length);
  }
  const std::span<const uint8_t> described(weights.data(), last);
  if (std::byte* end = PutFseWeights(described, to)) return end;
  return described.size() <= kMaxDirectWeights ? PutDirect(described, to) : nullptr;
}

std::optional<HuffmanCode> TakeDescription(std::span<const std::byte>& bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto first = static_cast<size_t>(bytes[0]);
  const bool is_direct = first > 127;
  const size_t size = is_direct ? (first - 127 + 1) / 2 : first;
  if (size >= bytes.size()) return std::nullopt;
  const auto packed = bytes.subspan(1, size);
  std::array<uint8_t, 256> weights = {};
  const size_t count =
      is_direct ? first - 127 : ReadFseWeights(packed, std::span(weights).first(255));
  for (size_t i = 0; is_direct && i < count; ++i) {
    weights[i] =
        static_cast<uint8_t>((static_cast<unsigned>(packed[i / 2]) >> (i % 2 ? 0 : 4)) & 15);
  }
  if (count == 0) return std::nullopt;
  bytes = bytes.subspan(1 + size);
  return CodeOf(weights, count);
}

}  // namespace nemo::zstd
