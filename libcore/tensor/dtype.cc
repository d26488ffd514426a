#include "libcore/tensor/dtype.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "libcore/base/format.h"

namespace nemo {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  int64_t size;
};
constexpr std::array<Row, 10> kRows = {{{DType::kBool, "BOOL", 1},
                                        {DType::kU8, "U8", 1},
                                        {DType::kI8, "I8", 1},
                                        {DType::kI16, "I16", 2},
                                        {DType::kI32, "I32", 4},
                                        {DType::kI64, "I64", 8},
                                        {DType::kF16, "F16", 2},
                                        {DType::kBF16, "BF16", 2},
                                        {DType::kF32, "F32", 4},
                                        {DType::kF64, "F64", 8}}};

const Row& RowOf(DType dtype) {
  const Row& row = kRows[static_cast<size_t>(dtype)];
  NEMO_CHECK(row.dtype == dtype);
  return row;
}

template <typename T>
T Load(const std::byte* data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

}  // namespace

int64_t SizeOf(DType dtype) { return RowOf(dtype).size; }
std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

Result<DType> ParseDType(std::string_view name) {
  std::string known;
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
    known += known.empty() ? "" : " ";
    known += row.name;
  }
  return Unsupported(Format("dtype '{}' is not known; known are {}", name, known));
}

float FloatFromF16(uint16_t bits) {
  const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  if (exponent == 31) {
    return mantissa == 0
               ? sign * INFINITY
               : std::bit_cast<float>((static_cast<uint32_t>(bits & 0x8000u) << 16) | 0x7fc00000u |
                                      (static_cast<uint32_t>(mantissa) << 13));
  }
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

double ElementAsDouble(DType dtype, const std::byte* data, int64_t index) {
  switch (dtype) {
    case DType::kBool:
    case DType::kU8:
      return Load<uint8_t>(data, index);
    case DType::kI8:
      return Load<int8_t>(data, index);
    case DType::kI16:
      return Load<int16_t>(data, index);
    case DType::kI32:
      return Load<int32_t>(data, index);
    case DType::kI64:
      return static_cast<double>(Load<int64_t>(data, index));
    case DType::kF16:
      return FloatFromF16(Load<uint16_t>(data, index));
    case DType::kBF16:
      return FloatFromBF16(Load<BF16>(data, index));
    case DType::kF32:
      return Load<float>(data, index);
    case DType::kF64:
      return Load<double>(data, index);
  }
  NEMO_CHECK(false);
  return 0;
}

}  // namespace nemo
