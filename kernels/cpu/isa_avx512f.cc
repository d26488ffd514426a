// The inner loops for AVX-512 without its bf16 dot product: for processors that lack it, and for
// those that do it at half the rate of multiply-adds.
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
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl"))), \
                             apply_to = function)
#else
// The headers of GCC 12 leave the ignored operand of a masked intrinsic undefined, and warn about
// it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl")
#endif

#include "kernels/cpu/avx512_vector.h"
#include "kernels/cpu/avx512f_vector.h"
#include "kernels/cpu/kernel_table.h"

namespace nemo::cpu {

constinit const IsaKernels kAvx512fKernels = KernelsOf<Avx512f>("avx512f", HasAvx512);

}  // namespace nemo::cpu

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif  // __x86_64__
