#include "formats/codec/fse_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "formats/codec/bit_writer.h"

namespace nemo::zstd {
namespace {

constexpr size_t kMaxWeight = 15;
constexpr int kLog = 6;  ///< of the states: the most that the format allows here
constexpr int kStates = 1 << kLog;
constexpr unsigned kLeastLog = 5;
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

/// Whose each state is.
std::array<size_t, kStates> SpreadWeights(const Shares& shares) {
  constexpr int kStep = (kStates >> 1) + (kStates >> 3) + 3;
  std::array<size_t, kStates> weight_at = {};
  int position = 0;
  for (size_t w = 0; w < shares.size(); ++w) {
    for (int i = 0; i < shares[w]; ++i, position = (position + kStep) % kStates) {
      weight_at[static_cast<size_t>(position)] = w;
    }
  }
  return weight_at;
}

/// The states of an encoder.
class EncodeTable {
 public:
  explicit EncodeTable(const Shares& shares) {
    const auto weight_at = SpreadWeights(shares);
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
std::byte* PutWeights(std::span<const uint8_t> weights, const EncodeTable& table, std::byte* to) {
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

/// What a decoder does in each state.
class DecodeTable {
 public:
  struct State {
    uint8_t weight = 0, bits = 0;
    unsigned base = 0;
  };
  explicit DecodeTable(const Shares& shares) {
    const auto weight_at = SpreadWeights(shares);
    Shares next = shares;
    for (size_t s = 0; s < kStates; ++s) {
      const auto number = static_cast<unsigned>(next[weight_at[s]]++);
      const int bits = kLog - Log2(number);
      states_[s] = {static_cast<uint8_t>(weight_at[s]), static_cast<uint8_t>(bits),
                    (number << bits) - kStates};
    }
  }
  const State& At(unsigned state) const { return states_[state]; }

 private:
  std::array<State, kStates> states_;
};

/// Reads the shares of kStates states; `used`: their bytes.
std::optional<Shares> TakeShares(std::span<const std::byte> packed, size_t& used) {
  size_t position = 0;  // in bits
  const auto peek = [&](unsigned count) {
    unsigned value = 0;
    for (unsigned i = 0; i < count; ++i) {
      const size_t bit = position + i;
      if (bit / 8 >= packed.size()) break;
      value |= ((static_cast<unsigned>(packed[bit / 8]) >> (bit % 8)) & 1) << i;
    }
    return value;
  };
  if (peek(4) + kLeastLog != kLog) return std::nullopt;
  position += 4;
  Shares shares = {};
  int remaining = kStates + 1, threshold = kStates;
  unsigned width = kLog + 1;
  for (size_t w = 0; remaining > 1;) {
    if (w >= shares.size()) return std::nullopt;
    const int short_values = 2 * threshold - 1 - remaining;
    int value = static_cast<int>(peek(width));
    if ((value & (threshold - 1)) < short_values) {
      value &= threshold - 1;
      position += width - 1;
    } else {
      if (value >= threshold) value -= short_values;
      position += width;
    }
    // 0: a share of less than one state, which we do not write.
    if (value == 0 || value - 1 > remaining) return std::nullopt;
    shares[w++] = value - 1;
    remaining -= value - 1;
    for (unsigned zeros = value == 1 ? 3 : 0; zeros == 3; w += zeros) {
      zeros = peek(2);
      position += 2;
      if (w + zeros > shares.size()) return std::nullopt;
    }
    while (remaining < threshold && threshold > 1) {
      --width;
      threshold >>= 1;
    }
  }
  used = (position + 7) / 8;
  if (remaining != 1 || used > packed.size()) return std::nullopt;
  return shares;
}

/// Bits from the last before the end mark to the first; zeros beyond.
class BackwardReader {
 public:
  explicit BackwardReader(std::span<const std::byte> bytes) : bytes_(bytes) {
    const unsigned last = bytes.empty() ? 0u : static_cast<unsigned>(bytes.back());
    left_ = last == 0 ? -1 : static_cast<int64_t>(bytes.size() - 1) * 8 + Log2(last);
  }
  unsigned Take(unsigned count) {
    unsigned value = 0;
    for (unsigned i = 0; i < count; ++i) {
      --left_;
      const bool bit =
          left_ >= 0 &&
          ((static_cast<unsigned>(bytes_[static_cast<size_t>(left_ / 8)]) >> (left_ % 8)) & 1) != 0;
      value = (value << 1) | (bit ? 1 : 0);
    }
    return value;
  }
  bool overrun() const { return left_ < 0; }

 private:
  std::span<const std::byte> bytes_;
  int64_t left_;  ///< bits; below 0: more were taken than there are
};

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
  end = PutWeights(weights, EncodeTable(shares), end);
  const auto size = static_cast<size_t>(end - packed.data());
  if (size > kMaxPackedBytes) return nullptr;
  *to++ = static_cast<std::byte>(size);
  std::memcpy(to, packed.data(), size);
  return to + size;
}

size_t ReadFseWeights(std::span<const std::byte> packed, std::span<uint8_t> weights) {
  size_t used = 0;
  const auto shares = TakeShares(packed, used);
  if (!shares) return 0;
  const DecodeTable table(*shares);
  BackwardReader bits(packed.subspan(used));
  std::array<unsigned, 2> state = {bits.Take(kLog), bits.Take(kLog)};
  if (bits.overrun()) return 0;
  // When a state asks for more bits than there are, the other one holds the last weight.
  for (size_t i = 0; i + 2 <= weights.size(); ++i) {
    const DecodeTable::State& now = table.At(state[i % 2]);
    weights[i] = now.weight;
    state[i % 2] = now.base + bits.Take(now.bits);
    if (!bits.overrun()) continue;
    weights[i + 1] = table.At(state[(i + 1) % 2]).weight;
    return i + 2;
  }
  return 0;
}

}  // namespace nemo::zstd
