#include <array>
#include <cmath>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// Neighbours are added, then neighbours of the sums, until one is left.
float AddTree(std::array<float, kNumLeaves> sums, int count) {
  for (; count > 1; count /= 2) {
    for (int i = 0; i < count / 2; ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
  }
  return sums[0];
}

void Store(Epilogue epilogue, float sum, void* y, int64_t index) {
  switch (epilogue) {
    case Epilogue::kFloat:
      static_cast<float*>(y)[index] = sum;
      return;
    case Epilogue::kBf16:
      static_cast<BF16*>(y)[index] = BF16FromFloat(sum);
      return;
    case Epilogue::kRelu2Bf16: {
      const float v = RoundToBF16(sum);
      const float u = v < 0 ? 0.0f : v;
      static_cast<BF16*>(y)[index] = BF16FromFloat(u * u);
      return;
    }
  }
}

}  // namespace

float LeafDot(const BF16* a, const BF16* b, int64_t size) {
  float sum = 0.0f;
  for (int64_t even = 0; even < size; even += 2) {
    const bool has_odd = even + 1 < size;
    const float odd_a = has_odd ? FloatFromBF16(a[even + 1]) : 0.0f;
    const float odd_b = has_odd ? FloatFromBF16(b[even + 1]) : 0.0f;
    sum = std::fma(odd_a, odd_b, sum);
    sum = std::fma(FloatFromBF16(a[even]), FloatFromBF16(b[even]), sum);
  }
  return sum;
}

Status Linear(Backend&, const LinearArgs& args) {
  const FlushDenormals flush;
  const auto& weight = static_cast<const Weight&>(*args.weight);
  const int64_t leaf_size = weight.k() / weight.num_leaves();
  for (int64_t row = 0; row < args.m; ++row) {
    const BF16* x = args.x + row * weight.k();
    for (int64_t column = 0; column < weight.n(); ++column) {
      const BF16* w = weight.row(column);
      std::array<float, kNumLeaves> sums{};
      for (int leaf = 0; leaf < weight.num_leaves(); ++leaf) {
        sums[leaf] = LeafDot(w + leaf * leaf_size, x + leaf * leaf_size, leaf_size);
      }
      Store(args.epilogue, AddTree(sums, weight.num_leaves()), args.y, row * weight.n() + column);
    }
  }
  return OkStatus();
}

}  // namespace nemo::reference
