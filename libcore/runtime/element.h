// An element of activations, bf16 or fp32: kernels and tables that are written for both convert by
// these.
#pragma once

#include <concepts>

#include "libcore/tensor/dtype.h"

namespace nemo {

inline float ToFloat(BF16 value) { return FloatFromBF16(value); }
inline float ToFloat(float value) { return value; }

/// `value` as an element: RNE to bf16, unchanged as float.
template <typename T>
T RoundTo(float value) {
  static_assert(std::same_as<T, BF16> || std::same_as<T, float>);
  if constexpr (std::same_as<T, float>) {
    return value;
  } else {
    return BF16FromFloat(value);
  }
}

/// `value` as it comes back from an element.
template <typename T>
float Rounded(float value) {
  return ToFloat(RoundTo<T>(value));
}

}  // namespace nemo
