// The inner loops for AVX2 and FMA: 16 floats are two registers. A pair of weights is split by
// shift and mask, one of activations when it is packed; two fused multiply-adds have the order of
// the bf16 dot product instruction.
//
// All headers with inline functions come before the target pragma: a copy of theirs compiled for
// this instruction set could otherwise be the one the linker keeps for everybody.
#if defined(__x86_64__)
#include <cmath>
#include <cstring>
#include <immintrin.h>
#include <limits>

#include "kernels/cpu/attention_scratch.h"
#include "kernels/cpu/isa.h"
#include "libcore/runtime/math.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "kernels/cpu/kernel_table.h"

namespace nemo::cpu {
namespace {

struct Avx2 {
  struct F {
    __m256 lo, hi;
  };
  using Pairs = F;
  using Pair = __m256;
  using X = WidePair;
  static constexpr int kParts = 2;
  static constexpr bool kWidens = true;
  static constexpr int kRows = 6;
  static constexpr int kColumns = 1;  // 6 x 2 accumulators, 2 weights, 1 activation of 16 registers
  static constexpr int kTransposeRows = 8;
  static constexpr int kTransposePairs = 8;

  static __m256 Set8(float v) { return _mm256_set1_ps(v); }
  static F Set(float v) { return {Set8(v), Set8(v)}; }
  static F Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F LoadPartial(const float* p, int64_t n) {
    if (n >= 16) return Load(p);
    float lanes[16] = {};
    std::memcpy(lanes, p, n * sizeof(float));
    return Load(lanes);
  }
  static void Store(float* p, F v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
  }
  static __m256 Widen(__m128i v) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
  }
  static F LoadBF16(const BF16* p, int64_t n) {
    BF16 lanes[16] = {};
    if (n < 16) {
      std::memcpy(lanes, p, n * sizeof(BF16));
      p = lanes;
    }
    return {Widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            Widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
  }
  /// BF16FromFloat with the result left in the low half of each lane.
  static __m256i Narrow(__m256 v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded, quiet, is_nan);
  }
  static void StoreBF16(BF16* p, F v, int64_t n) {
    // packus works in halves of 128 bits; the permutation puts the quarters in order.
    const __m256i packed =
        _mm256_permute4x64_epi64(_mm256_packus_epi32(Narrow(v.lo), Narrow(v.hi)), 0xd8);
    BF16 lanes[16];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(n < 16 ? lanes : p), packed);
    if (n < 16) std::memcpy(p, lanes, n * sizeof(BF16));
  }
  static __m256 Round(__m256 v) { return _mm256_castsi256_ps(_mm256_slli_epi32(Narrow(v), 16)); }
  static F RoundToBF16(F v) { return {Round(v.lo), Round(v.hi)}; }
  static F Add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F Sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static F Mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F Div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F Max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F Fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static __m256 Exp8(__m256 x);
  static F Exp(F v) { return {Exp8(v.lo), Exp8(v.hi)}; }

  static __m256 PartOf(const BF16* pairs, int part) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs));
    constexpr auto kOdd = static_cast<int>(0xffff0000u);
    return _mm256_castsi256_ps(part == 0 ? _mm256_and_si256(both, _mm256_set1_epi32(kOdd))
                                         : _mm256_slli_epi32(both, 16));
  }
  static Pairs LoadPairs(const BF16* p, int part) {
    return {PartOf(p, part), PartOf(p + 16, part)};
  }
  static Pair BroadcastPair(const X& pair, int part) {
    return Set8(part == 0 ? pair.odd : pair.even);
  }
  static F Dot(F acc, Pairs w, Pair x) {
    return {_mm256_fmadd_ps(w.lo, x, acc.lo), _mm256_fmadd_ps(w.hi, x, acc.hi)};
  }
  static void TransposePairs(const BF16* rows, int64_t stride, uint32_t* out);
};

/// ExpF32, lane by lane.
__m256 Avx2::Exp8(__m256 x) {
  using namespace exp_f32;  // NOLINT(build/namespaces)
  const __m256 shifted = _mm256_fmadd_ps(x, Set8(kLog2E), Set8(kRound));
  const __m256 n = _mm256_sub_ps(shifted, Set8(kRound));
  const __m256 r = _mm256_fmadd_ps(n, Set8(-kLn2Low), _mm256_fmadd_ps(n, Set8(-kLn2High), x));
  __m256 p = _mm256_fmadd_ps(Set8(kP5), r, Set8(kP4));
  p = _mm256_fmadd_ps(p, r, Set8(kP3));
  p = _mm256_fmadd_ps(p, r, Set8(kP2));
  p = _mm256_fmadd_ps(p, r, Set8(kP1));
  p = _mm256_fmadd_ps(p, r, Set8(kP0));
  const __m256 y = _mm256_add_ps(Set8(1.0f), _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r));
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  __m256 out = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), exponent));
  out = _mm256_blendv_ps(out, Set8(std::numeric_limits<float>::infinity()),
                         _mm256_cmp_ps(x, Set8(kOverflow), _CMP_GE_OQ));
  out = _mm256_blendv_ps(out, Set8(0.0f), _mm256_cmp_ps(x, Set8(kMin), _CMP_LT_OQ));
  return _mm256_blendv_ps(out, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/// Pairs 0 ... 7 of 8 tokens: out[pair * kPageTokens + token].
void Avx2::TransposePairs(const BF16* rows, int64_t stride, uint32_t* out) {
  __m256i in[8], pairs[8], quads[8];
  for (int i = 0; i < 8; ++i) {
    in[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + i * stride));
  }
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_epi32(in[i], in[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_epi32(in[i], in[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm256_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
      quads[i + 2 * j + 1] = _mm256_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
    }
  }
  for (int i = 0; i < 4; ++i) {
    auto* low = reinterpret_cast<__m256i*>(out + i * kPageTokens);
    auto* high = reinterpret_cast<__m256i*>(out + (i + 4) * kPageTokens);
    _mm256_storeu_si256(low, _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x20));
    _mm256_storeu_si256(high, _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x31));
  }
}

bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace

constinit const IsaKernels kAvx2Kernels = KernelsOf<Avx2>("avx2", HasAvx2);

}  // namespace nemo::cpu

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif  // __x86_64__
