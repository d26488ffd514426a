// Residual update and LayerNorm of one row, over a vector type V of 16 floats (see isa.h).
#pragma once

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

/// Neighbours, then neighbours of the sums. Overwrites `lanes`.
template <class V>
float AddLanes(float (&lanes)[16]) {
  for (int count = 8; count > 0; count /= 2) {
    for (int i = 0; i < count; ++i) lanes[i] = lanes[2 * i] + lanes[2 * i + 1];
  }
  return lanes[0];
}

/// Folds x into 16 lanes, element i to lane i % 16. The lanes that a last, shorter vector lacks
/// stay as they are.
template <class V, class Fold>
float SumLanes(const BF16* x, int64_t size, const Fold& fold) {
  float lanes[16];
  auto acc = V::Set(0.0f);
  int64_t i = 0;
  for (; i + 16 <= size; i += 16) acc = fold(acc, V::LoadBF16(x + i, 16));
  V::Store(lanes, acc);
  if (i < size) {
    float folded[16];
    V::Store(folded, fold(acc, V::LoadBF16(x + i, size - i)));
    for (int64_t lane = 0; lane < size - i; ++lane) lanes[lane] = folded[lane];
  }
  return AddLanes<V>(lanes);
}

// Not lambdas: the function pointer a lambda without captures converts to is compiled for the plain
// target.
template <class V>
struct AddTo {
  using F = typename V::F;
  F operator()(F acc, F v) const { return V::Add(acc, v); }
};
template <class V>
struct AddSquareTo {
  using F = typename V::F;
  F mean;
  F operator()(F acc, F v) const {
    const F d = V::Sub(v, mean);
    return V::Fma(d, d, acc);
  }
};

template <class V>
void AddUpdate(const ResidualNormArgs& args, BF16* x, const float* update) {
  for (int64_t i = 0; i < args.hidden; i += 16) {
    const int64_t n = args.hidden - i;
    auto value = V::RoundToBF16(V::LoadPartial(update + i, n));
    if (!args.replace) value = V::Add(V::LoadBF16(x + i, n), value);
    V::StoreBF16(x + i, value, n);
  }
}

template <class V>
void LayerNorm(const ResidualNormArgs& args, const BF16* x, BF16* h) {
  using F = typename V::F;
  const auto size = static_cast<float>(args.hidden);
  const F mean = V::Set(SumLanes<V>(x, args.hidden, AddTo<V>{}) / size);
  const float variance = SumLanes<V>(x, args.hidden, AddSquareTo<V>{mean}) / size;
  const F rstd = V::Set(1.0f / __builtin_sqrtf(variance + args.epsilon));
  const F one = V::Set(1.0f);
  for (int64_t i = 0; i < args.hidden; i += 16) {
    const int64_t n = args.hidden - i;
    F gain = V::LoadBF16(args.weight + i, n);
    if (args.zero_centered_gamma) {
      gain = V::Add(one, gain);
      if (args.profile == DTypeProfile::kHf) gain = V::RoundToBF16(gain);
    }
    const F normed = V::Mul(V::Sub(V::LoadBF16(x + i, n), mean), rstd);
    V::StoreBF16(h + i, V::Fma(normed, gain, V::LoadBF16(args.bias + i, n)), n);
  }
}

template <class V>
void ResidualNormRow(const ResidualNormArgs& args, int64_t token) {
  BF16* x = args.x + token * args.hidden;
  if (args.update != nullptr) AddUpdate<V>(args, x, args.update + token * args.hidden);
  if (args.weight != nullptr) LayerNorm<V>(args, x, args.h + token * args.hidden);
}

}  // namespace nemo::cpu
