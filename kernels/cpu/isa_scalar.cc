// The inner loops in portable C++: any processor, and the measure of the others.
#include <cmath>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/kernel_table.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

struct Scalar {
  struct F {
    float lane[16];
  };
  struct Pairs {
    float even[16], odd[16];
  };
  struct Pair {
    float even, odd;
  };
  using X = uint32_t;
  static constexpr int kParts = 1;
  static constexpr bool kWidens = false;
  static constexpr int kRows = 4;
  static constexpr int kColumns = 1;
  static constexpr int kTransposeRows = 1;
  static constexpr int kTransposePairs = 1;

  template <class Op>
  static F Map(const Op& op) {
    F out;
    for (int i = 0; i < 16; ++i) out.lane[i] = op(i);
    return out;
  }
  static int Lanes(int64_t n) { return n < 16 ? static_cast<int>(n) : 16; }

  static F Set(float v) {
    return Map([&](int) { return v; });
  }
  static F Load(const float* p) {
    return Map([&](int i) { return p[i]; });
  }
  static F LoadPartial(const float* p, int64_t n) {
    return Map([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static void Store(float* p, const F& v) {
    for (int i = 0; i < 16; ++i) p[i] = v.lane[i];
  }
  static F LoadBF16(const BF16* p, int64_t n) {
    return Map([&](int i) { return i < n ? FloatFromBF16(p[i]) : 0.0f; });
  }
  static void StoreBF16(BF16* p, const F& v, int64_t n) {
    for (int i = 0; i < Lanes(n); ++i) p[i] = BF16FromFloat(v.lane[i]);
  }
  static F RoundToBF16(const F& v) {
    return Map([&](int i) { return nemo::RoundToBF16(v.lane[i]); });
  }
  static F Add(const F& a, const F& b) {
    return Map([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static F Sub(const F& a, const F& b) {
    return Map([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static F Mul(const F& a, const F& b) {
    return Map([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static F Div(const F& a, const F& b) {
    return Map([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  static F Max(const F& a, const F& b) {
    return Map([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static F Fma(const F& a, const F& b, const F& c) {
    return Map([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static F Exp(const F& v) {
    return Map([&](int i) { return ExpF32(v.lane[i]); });
  }

  static Pairs LoadPairs(const BF16* p, int /*part*/) {
    Pairs out;
    for (int i = 0; i < 16; ++i) {
      out.even[i] = FloatFromBF16(p[2 * i]);
      out.odd[i] = FloatFromBF16(p[2 * i + 1]);
    }
    return out;
  }
  static Pair BroadcastPair(X pair, int /*part*/) {
    return {FloatFromBF16(static_cast<BF16>(pair)), FloatFromBF16(static_cast<BF16>(pair >> 16))};
  }
  static F Dot(const F& acc, const Pairs& w, const Pair& x) {
    return Map(
        [&](int i) { return std::fma(w.even[i], x.even, std::fma(w.odd[i], x.odd, acc.lane[i])); });
  }
  static void TransposePairs(const BF16* rows, int64_t, uint32_t* out) {
    *out = rows[0] | static_cast<uint32_t>(rows[1]) << 16;
  }
};

}  // namespace

constinit const IsaKernels kScalarKernels = KernelsOf<Scalar>("scalar", [] { return true; });

}  // namespace nemo::cpu
