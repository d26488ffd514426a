// Casting to bfloat16: what becomes of weights stored in another floating-point type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libcore/tensor/dtype.h"

namespace nemo {

/// True for the types CastToBF16 takes: BF16, F16, F32.
bool CanCastToBF16(DType dtype);

/// `count` elements of `dtype` to bfloat16, round to nearest even (BF16 is copied bit for bit).
/// `in` need not be aligned and may not overlap `out`.
void CastToBF16(DType dtype, const std::byte* in, int64_t count, BF16* out);
/// CastToBF16 of each element plus 1; the sum is made in float and rounded once.
void AddOneToBF16(DType dtype, const std::byte* in, int64_t count, BF16* out);

}  // namespace nemo
