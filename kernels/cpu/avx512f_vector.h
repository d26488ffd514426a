// Products of bf16 pairs by the multiply-adds of AVX-512: the odd elements, then the even ones, as
// the bf16 dot product adds them. Weights are widened on the way from memory, activations when they
// are packed. Included like avx512_vector.h, after it.
#pragma once

namespace nemo::cpu {
namespace {

struct Avx512f : Avx512Vector {
  using X = WidePair;
  using Pairs = __m512;
  using Pair = __m512;
  static constexpr int kParts = 2;

  static Pairs LoadPairs(const BF16* p, int part) {
    const __m512i both = _mm512_loadu_si512(p);
    constexpr auto kOdd = static_cast<int>(0xffff0000u);
    return _mm512_castsi512_ps(part == 0 ? _mm512_and_si512(both, _mm512_set1_epi32(kOdd))
                                         : _mm512_slli_epi32(both, 16));
  }
  static Pair BroadcastPair(const X& pair, int part) {
    return _mm512_set1_ps(part == 0 ? pair.odd : pair.even);
  }
  static F Dot(F acc, Pairs w, Pair x) { return _mm512_fmadd_ps(w, x, acc); }
};

}  // namespace
}  // namespace nemo::cpu
