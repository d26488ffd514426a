// The inner loops for AVX-512 with its bf16 dot product.
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
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512bf16"))), apply_to = function)
#else
// The headers of GCC 12 leave the ignored operand of a masked intrinsic undefined, and warn about
// it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512bf16")
#endif

#include "kernels/cpu/avx512_vector.h"
#include "kernels/cpu/kernel_table.h"

namespace nemo::cpu {

namespace {

/// The bf16 dot product adds the odd product, then the even one, each fused with the accumulator,
/// and flushes denormals whatever the mode of the thread.
struct Avx512 : Avx512Vector {
  using X = uint32_t;
  using Pairs = __m512bh;
  using Pair = __m512bh;
  static constexpr int kParts = 1;

  static Pairs LoadPairs(const BF16* p, int /*part*/) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p));
  }
  static Pair BroadcastPair(X pair, int /*part*/) {
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(pair)));
  }
  static F Dot(F acc, Pairs w, Pair x) { return _mm512_dpbf16_ps(acc, w, x); }
};

bool HasDotProduct() { return HasAvx512() && __builtin_cpu_supports("avx512bf16"); }

}  // namespace

constinit const IsaKernels kAvx512Kernels = KernelsOf<Avx512>("avx512", HasDotProduct);

}  // namespace nemo::cpu

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif  // __x86_64__
