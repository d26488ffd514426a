#include "libcore/tensor/cast.h"

#include <cstring>

#include "libcore/base/check.h"

namespace nemo {
namespace {

template <typename Stored, typename Widen>
void CastEach(const std::byte* in, int64_t count, BF16* out, Widen widen) {
  for (int64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, in + i * static_cast<int64_t>(sizeof(Stored)), sizeof(Stored));
    out[i] = BF16FromFloat(widen(value));
  }
}

}  // namespace

bool CanCastToBF16(DType dtype) {
  return dtype == DType::kBF16 || dtype == DType::kF16 || dtype == DType::kF32;
}

void CastToBF16(DType dtype, const std::byte* in, int64_t count, BF16* out) {
  NEMO_CHECK(CanCastToBF16(dtype));
  if (dtype == DType::kBF16) {
    std::memcpy(out, in, static_cast<size_t>(count) * sizeof(BF16));
  } else if (dtype == DType::kF32) {
    CastEach<float>(in, count, out, [](float value) { return value; });
  } else {
    CastEach<uint16_t>(in, count, out, FloatFromF16);
  }
}

void AddOneToBF16(DType dtype, const std::byte* in, int64_t count, BF16* out) {
  NEMO_CHECK(CanCastToBF16(dtype));
  if (dtype == DType::kBF16) {
    CastEach<BF16>(in, count, out, [](BF16 value) { return FloatFromBF16(value) + 1.0f; });
  } else if (dtype == DType::kF32) {
    CastEach<float>(in, count, out, [](float value) { return value + 1.0f; });
  } else {
    CastEach<uint16_t>(in, count, out, [](uint16_t value) { return FloatFromF16(value) + 1.0f; });
  }
}

}  // namespace nemo
