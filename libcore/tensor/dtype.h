// Element types and the conversions between bfloat16 and float.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libcore/base/host_device.h"
#include "libcore/base/status.h"

namespace nemo {

enum class DType : uint8_t { kBool, kU8, kI8, kI16, kI32, kI64, kF16, kBF16, kF32, kF64 };

/// Bytes of one element.
int64_t SizeOf(DType dtype);
/// "BF16", "F32", ...: the spelling of safetensors, which the whole house uses.
std::string_view DTypeName(DType dtype);
/// Inverse of DTypeName. kUnsupported names the unknown one and lists the known.
Result<DType> ParseDType(std::string_view name);

/// The bits of a bfloat16: the high half of a float.
using BF16 = uint16_t;

NEMO_HOST_DEVICE inline float FloatFromBF16(BF16 bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// Round to nearest, ties to even. NaN stays NaN (quiet, sign and high payload kept); overflow
/// gives infinity, as IEEE 754 rounding does.
NEMO_HOST_DEVICE inline BF16 BF16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<BF16>((bits >> 16) | 0x0040u);
  return static_cast<BF16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// `value` after a round trip through bfloat16.
NEMO_HOST_DEVICE inline float RoundToBF16(float value) {
  return FloatFromBF16(BF16FromFloat(value));
}

/// Widens an IEEE half.
float FloatFromF16(uint16_t bits);

/// Element `index` of an array of `dtype` as a double (int64 beyond 2^53 rounds). For statistics,
/// comparison and messages, not for arithmetic.
double ElementAsDouble(DType dtype, const std::byte* data, int64_t index);

}  // namespace nemo
