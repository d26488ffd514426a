// Sixteen floats in one register of AVX-512; how they multiply pairs is told by who derives from
// it. Included only by isa_avx512*.cc and isa_amx.cc, after they have chosen the instruction set
// and after every header with inline functions; each has a copy of its own.
#pragma once

namespace nemo::cpu {
namespace {

struct Avx512Vector {
  using F = __m512;
  static constexpr bool kWidens = false;
  static constexpr int kRows = 6;
  static constexpr int kColumns = 4;  // 6 x 4 accumulators, 4 weights, 1 activation of 32 registers
  static constexpr int kTransposeRows = 16;
  static constexpr int kTransposePairs = 16;

  static __mmask16 Mask(int64_t n) {
    return static_cast<__mmask16>(n < 16 ? (1u << n) - 1 : 0xffffu);
  }
  static F Set(float v) { return _mm512_set1_ps(v); }
  static F Load(const float* p) { return _mm512_loadu_ps(p); }
  static F LoadPartial(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(Mask(n), p); }
  static void Store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static F LoadBF16(const BF16* p, int64_t n) {
    const __m256i bits = _mm256_maskz_loadu_epi16(Mask(n), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  /// BF16FromFloat with the result left in the low half of each lane. Not vcvtneps2bf16, which
  /// flushes denormals.
  static __m512i Narrow(F v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i high = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(rounded, is_nan, high, _mm512_set1_epi32(0x40));
  }
  static void StoreBF16(BF16* p, F v, int64_t n) {
    _mm256_mask_storeu_epi16(p, Mask(n), _mm512_cvtepi32_epi16(Narrow(v)));
  }
  static F RoundToBF16(F v) { return _mm512_castsi512_ps(_mm512_slli_epi32(Narrow(v), 16)); }
  static F Add(F a, F b) { return _mm512_add_ps(a, b); }
  static F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F Div(F a, F b) { return _mm512_div_ps(a, b); }
  static F Max(F a, F b) { return _mm512_max_ps(a, b); }
  static F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  /// ExpF32, lane by lane.
  static F Exp(F x) {
    using namespace exp_f32;  // NOLINT(build/namespaces)
    const __m512 shifted = _mm512_fmadd_ps(x, Set(kLog2E), Set(kRound));
    const __m512 n = _mm512_sub_ps(shifted, Set(kRound));
    const __m512 r = _mm512_fmadd_ps(n, Set(-kLn2Low), _mm512_fmadd_ps(n, Set(-kLn2High), x));
    __m512 p = _mm512_fmadd_ps(Set(kP5), r, Set(kP4));
    p = _mm512_fmadd_ps(p, r, Set(kP3));
    p = _mm512_fmadd_ps(p, r, Set(kP2));
    p = _mm512_fmadd_ps(p, r, Set(kP1));
    p = _mm512_fmadd_ps(p, r, Set(kP0));
    const __m512 y = _mm512_add_ps(Set(1.0f), _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r));
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    __m512 out = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y), exponent));
    out = _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, Set(kOverflow), _CMP_GE_OQ), out,
                               Set(std::numeric_limits<float>::infinity()));
    out = _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, Set(kMin), _CMP_LT_OQ), out, Set(0.0f));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), out, x);
  }

  static void TransposePairs(const BF16* rows, int64_t stride, uint32_t* out);
};

/// Pairs 0 ... 15 of 16 tokens: out[pair * kPageTokens + token]. First 4 x 4 blocks inside 128-bit
/// quarters, then the quarters themselves.
void Avx512Vector::TransposePairs(const BF16* rows, int64_t stride, uint32_t* out) {
  __m512i in[16], pairs[16], quads[16];
  for (int i = 0; i < 16; ++i) in[i] = _mm512_loadu_si512(rows + i * stride);
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + 2 * j] = _mm512_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
      quads[i + 2 * j + 1] = _mm512_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
    }
  }
  // Quarter q of quads[4 b + j] holds tokens 4 b ... 4 b + 3 of pair 4 q + j.
  for (int j = 0; j < 4; ++j) {
    const __m512i low01 = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0x44);
    const __m512i low23 = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0x44);
    const __m512i high01 = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0xee);
    const __m512i high23 = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0xee);
    _mm512_storeu_si512(out + j * kPageTokens, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_storeu_si512(out + (4 + j) * kPageTokens, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_storeu_si512(out + (8 + j) * kPageTokens, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_storeu_si512(out + (12 + j) * kPageTokens, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }
}

bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
}

}  // namespace
}  // namespace nemo::cpu
