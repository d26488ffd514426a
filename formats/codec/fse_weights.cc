#include "formats/codec/fse_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "formats/codec/bit_writer.h"

namespace nemo::zstd {
namespace {

constexpr size_t kMaxWeight = 15;
constexpr int kLog = 6;  ///< of the states: the most that the format allows here
constexpr int kStates = 1 << kLog;
constexpr size_t kMaxPackedBytes = 127;

using Shares = std::array<int, kMaxWeight + 1>;

int Log2(unsigned value) { return static_cast<int>(std::bit_width(value)) - 1; }

/// States for each weight, by its frequency; kStates together.
Shares ShareStates(std::span<const uint8_t> weights) {
  Shares counts = {}, shares = {};
  for (const uint8_t weight : weights) ++counts[weight];
  const int total = static_cast<int>(weights.size());
  int left = kStates;
  for (size_t w = 0; w < counts.size(); ++w) {
    if (counts[w] > 0) shares[w] = std::max(1, counts[w] * kStates / total);
    left -= shares[w];
  }
  *std::max_element(shares.begin(), shares.end()) += left;
  return shares;
}

/// The table of shares, bit by bit as the format packs it.
void PutShares(const Shares& shares, BitWriter& bits) {
  constexpr unsigned kLeastLog = 5;
  bits.Add(kLog - kLeastLog, 4);
  int remaining = kStates + 1, threshold = kStates;
  unsigned width = kLog + 1;
  bool after_zero = false;
  for (size_t w = 0; w < shares.size() && remaining > 1;) {
    if (after_zero) {  // how many more zeros follow: threes, then the rest
      size_t zeros = 0;
      while (shares[w] == 0) ++zeros, ++w;
      for (; zeros >= 3; zeros -= 3) bits.Add(3, 2);
      bits.Add(zeros, 2);
    }
    // Small values have a bit less where the range is no power of two.
    const int short_values = 2 * threshold - 1 - remaining;
    remaining -= shares[w];
    int value = shares[w] + 1;
    if (value >= threshold) value += short_values;
    bits.Add(static_cast<unsigned>(value), width - (value < short_values ? 1 : 0));
    after_zero = shares[w] == 0;
    ++w;
    while (remaining < threshold) {
      --width;
      threshold >>= 1;
    }
    bits.Flush();
  }
}

/// The states of an encoder.
class Table {
 public:
  explicit Table(const Shares& shares) {
    std::array<size_t, kStates> weight_at = {};
    constexpr int kStep = (kStates >> 1) + (kStates >> 3) + 3;
    int position = 0;
    for (size_t w = 0; w < shares.size(); ++w) {
      for (int i = 0; i < shares[w]; ++i, position = (position + kStep) % kStates) {
        weight_at[static_cast<size_t>(position)] = w;
      }
    }
    Shares next = {};
    for (size_t w = 1; w < shares.size(); ++w) next[w] = next[w - 1] + shares[w - 1];
    for (size_t w = 0; w < shares.size(); ++w) {
      if (shares[w] == 0) continue;
      const int bits = shares[w] == 1 ? kLog : kLog - Log2(static_cast<unsigned>(shares[w] - 1));
      delta_bits_[w] = (bits << 16) - (shares[w] << bits);
      delta_state_[w] = next[w] - shares[w];
    }
    for (int state = 0; state < kStates; ++state) {
      const size_t w = weight_at[static_cast<size_t>(state)];
      states_[static_cast<size_t>(next[w]++)] = kStates + state;
    }
  }

  int First(uint8_t weight) const {
    const int bits = (delta_bits_[weight] + (1 << 15)) >> 16;
    const int value = (bits << 16) - delta_bits_[weight];
    return StateAt((value >> bits) + delta_state_[weight]);
  }
  int Next(int state, uint8_t weight, BitWriter& out) const {
    const int bits = (state + delta_bits_[weight]) >> 16;
    const auto width = static_cast<unsigned>(bits);
    out.Add(static_cast<unsigned>(state) & ((1u << width) - 1), width);
    return StateAt((state >> bits) + delta_state_[weight]);
  }

 private:
  int StateAt(int index) const { return states_[static_cast<size_t>(index)]; }
  std::array<int, kMaxWeight + 1> delta_bits_ = {}, delta_state_ = {};
  std::array<int, kStates> states_ = {};
};

/// From the last weight to the first, which decoders meet first: even places by one state, odd ones
/// by another.
std::byte* PutWeights(std::span<const uint8_t> weights, const Table& table, std::byte* to) {
  BitWriter bits(to);
  std::array<int, 2> state;
  size_t i = weights.size();
  for (int k = 0; k < 2; ++k) {
    --i;
    state[i % 2] = table.First(weights[i]);
  }
  while (i-- > 0) {
    state[i % 2] = table.Next(state[i % 2], weights[i], bits);
    bits.Flush();
  }
  for (const size_t k : {1, 0}) {
    bits.Add(static_cast<unsigned>(state[k]) & (kStates - 1), kLog);
    bits.Flush();
  }
  return bits.Close();
}

}  // namespace

std::byte* PutFseWeights(std::span<const uint8_t> weights, std::byte* to) {
  if (weights.size() <= 2) return nullptr;
  const Shares shares = ShareStates(weights);
  if (*std::max_element(shares.begin(), shares.end()) == kStates) return nullptr;
  // 255 weights of 6 bits and the table do not fill this.
  std::array<std::byte, 256> packed;
  BitWriter bits(packed.data());
  PutShares(shares, bits);
  // The table ends with a whole byte, without an end mark.
  std::byte* end = bits.EndByte();
  end = PutWeights(weights, Table(shares), end);
  const auto size = static_cast<size_t>(end - packed.data());
  if (size > kMaxPackedBytes) return nullptr;
  *to++ = static_cast<std::byte>(size);
  std::memcpy(to, packed.data(), size);
  return to + size;
}

}  // namespace nemo::zstd
