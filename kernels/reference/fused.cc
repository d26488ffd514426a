// All headers with inline functions come before the target pragma: a copy of theirs compiled for
// this instruction set could otherwise be the one the linker keeps for everybody.
#if defined(__x86_64__)
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"
#include "libcore/runtime/shard_draw.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "kernels/reference/op_tables.h"

namespace nemo::reference {

constinit const Operations kFused = kOperations;

}  // namespace nemo::reference

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif  // __x86_64__
