#include "tools/nemo-bench/measure/random_bf16.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include "libcore/base/check.h"
#include "libcore/base/thread_pool.h"

namespace nemo {
namespace {

constexpr int kTableBits = 12;
constexpr int64_t kTableSize = int64_t{1} << kTableBits;

/// x with Phi(x) = p, by Newton's method on the error function.
double NormalQuantile(double p) {
  double x = 0;
  for (int i = 0; i < 60; ++i) {
    const double phi = 0.5 * std::erfc(-x / std::numbers::sqrt2);
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
    // A short step where the curve is flat: Newton's would leap over the answer.
    x += std::clamp((p - phi) / density, -0.5, 0.5);
  }
  return x;
}

/// The quantiles of equal parts: a random index gives a normally distributed number.
const std::array<BF16, kTableSize>& Table() {
  static const std::array<BF16, kTableSize> table = [] {
    std::array<BF16, kTableSize> values = {};
    for (int64_t i = 0; i < kTableSize; ++i) {
      const double p = (static_cast<double>(i) + 0.5) / static_cast<double>(kTableSize);
      values[i] = BF16FromFloat(kRandomDeviation * static_cast<float>(NormalQuantile(p)));
    }
    return values;
  }();
  return table;
}

/// Steele, Lea, Flood: SplitMix (OOPSLA 2014): a counter becomes 64 well-mixed bits.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr int64_t kPerDraw = 64 / kTableBits;  // elements from one draw

}  // namespace

void RandomBF16(uint64_t seed, int64_t begin, std::span<BF16> out) {
  const auto& table = Table();
  const uint64_t row = Mix(seed);
  const int64_t end = begin + std::ssize(out);
  for (int64_t at = begin; at < end;) {
    const int64_t draw = at / kPerDraw;
    uint64_t bits = Mix(row + static_cast<uint64_t>(draw)) >> (at - draw * kPerDraw) * kTableBits;
    const int64_t stop = std::min(end, (draw + 1) * kPerDraw);
    for (; at < stop; ++at, bits >>= kTableBits) {
      out[static_cast<size_t>(at - begin)] = table[bits & (kTableSize - 1)];
    }
  }
}

void RandomBF16(uint64_t seed, std::span<BF16> out, int threads) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  const int64_t pieces = (std::ssize(out) + kPiece - 1) / kPiece;
  const Status status = ParallelFor(threads, pieces, [&](int64_t piece) {
    const int64_t begin = piece * kPiece;
    const int64_t count = std::min(kPiece, std::ssize(out) - begin);
    RandomBF16(seed, begin, out.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)));
    return OkStatus();
  });
  NEMO_CHECK(status.ok());
}

uint64_t SeedOf(std::string_view name) {
  uint64_t seed = 0;
  for (const char c : name) seed = Mix(seed ^ static_cast<unsigned char>(c));
  return seed;
}

}  // namespace nemo
