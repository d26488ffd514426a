// Products with a weight.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/ops.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// As many rows of x are multiplied side by side: each sum has the order of the contract, and the
/// compiler can work on several at a time.
constexpr int64_t kBlockRows = 32;
struct Rows {
  float row[kBlockRows] = {};
};

/// out[i] has element i of up to kBlockRows rows of x; zero where there is no row.
template <typename T>
void Transpose(const T* x, int64_t num_rows, int64_t k, std::vector<Rows>& out) {
  out.assign(k, {});
  for (int64_t row = 0; row < num_rows; ++row) {
    for (int64_t i = 0; i < k; ++i) out[i].row[row] = ToFloat(x[row * k + i]);
  }
}

void Add(float w, const Rows& x, Rows& sum) {
  for (int64_t i = 0; i < kBlockRows; ++i) sum.row[i] = std::fma(w, x.row[i], sum.row[i]);
}

/// The sum of one leaf (LinearArgs): pairs in order, the odd element first, one fma each.
Rows LeafSum(const BF16* w, const Rows* x, int64_t size) {
  Rows sum;
  for (int64_t even = 0; even < size; even += 2) {
    const bool has_odd = even + 1 < size;
    Add(has_odd ? FloatFromBF16(w[even + 1]) : 0.0f, has_odd ? x[even + 1] : Rows{}, sum);
    Add(FloatFromBF16(w[even]), x[even], sum);
  }
  return sum;
}

/// Neighbours are added, then neighbours of the sums, until one is left.
Rows LeafTree(const BF16* w, const Rows* x, int64_t leaf_size, int num_leaves) {
  if (num_leaves == 1) return LeafSum(w, x, leaf_size);
  const int half = num_leaves / 2;
  Rows sum = LeafTree(w, x, leaf_size, half);
  const Rows right = LeafTree(w + half * leaf_size, x + half * leaf_size, leaf_size, half);
  for (int64_t i = 0; i < kBlockRows; ++i) sum.row[i] += right.row[i];
  return sum;
}

float Relu2(float v) {
  const float u = v < 0 ? 0.0f : v;
  return u * u;
}

void Store(Epilogue epilogue, float sum, void* y, int64_t index) {
  switch (epilogue) {
    case Epilogue::kFloat:
      static_cast<float*>(y)[index] = sum;
      return;
    case Epilogue::kBf16:
      static_cast<BF16*>(y)[index] = BF16FromFloat(sum);
      return;
    case Epilogue::kRelu2Bf16:
      static_cast<BF16*>(y)[index] = BF16FromFloat(Relu2(RoundToBF16(sum)));
      return;
    case Epilogue::kRelu2Float:
      static_cast<float*>(y)[index] = Relu2(sum);
      return;
  }
}

template <typename T>
Status Linear(Backend&, const BasicLinearArgs<T>& args) {
  const FlushDenormals flush;
  const auto& weight = static_cast<const Weight&>(*args.weight);
  const int64_t k = weight.k(), n = weight.n();
  std::vector<Rows> x;
  for (int64_t begin = 0; begin < args.m; begin += kBlockRows) {
    const int64_t num_rows = std::min(kBlockRows, args.m - begin);
    Transpose(args.x + begin * k, num_rows, k, x);
    for (int64_t column = 0; column < n; ++column) {
      const Rows sum =
          LeafTree(weight.row(column), x.data(), k / weight.num_leaves(), weight.num_leaves());
      for (int64_t row = 0; row < num_rows; ++row) {
        Store(args.epilogue, sum.row[row], args.y, (begin + row) * n + column);
      }
    }
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
