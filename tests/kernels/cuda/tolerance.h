// How far the tensor cores may be from the reference.
#pragma once

#include "tests/conformance/backend_ops.h"

namespace nemo::testing {

/// bf16 of sums whose order differs: an element may round to the neighbour, 2^-8 of it, and its
/// square to the next but one; attention rounds probabilities too, which moves an output by at most
/// 2^-9 of the values, whose size is 1 to 4.
inline constexpr Tolerance kTensorCores = {0x1p-7, 0x1p-6};

}  // namespace nemo::testing
