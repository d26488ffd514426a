// The residual stream and its LayerNorm.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <array>
#include <cmath>

#include "kernels/reference/ops.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

constexpr int kLanes = 16;
using Lanes = std::array<float, kLanes>;

float AddTree(Lanes lanes) {
  for (int count = kLanes; count > 1; count /= 2) {
    for (int i = 0; i < count / 2; ++i) lanes[i] = lanes[2 * i] + lanes[2 * i + 1];
  }
  return lanes[0];
}

template <typename T>
float Mean(const T* x, int64_t size) {
  Lanes lanes{};
  for (int64_t i = 0; i < size; ++i) lanes[i % kLanes] += ToFloat(x[i]);
  return AddTree(lanes) / static_cast<float>(size);
}

template <typename T>
float Variance(const T* x, float mean, int64_t size) {
  Lanes lanes{};
  for (int64_t i = 0; i < size; ++i) {
    const float d = ToFloat(x[i]) - mean;
    lanes[i % kLanes] = std::fma(d, d, lanes[i % kLanes]);
  }
  return AddTree(lanes) / static_cast<float>(size);
}

template <typename T>
float Gain(const BasicResidualNormArgs<T>& args, int64_t i) {
  const float w = FloatFromBF16(args.weight[i]);
  if (!args.zero_centered_gamma) return w;
  const float gain = 1.0f + w;
  return args.profile == DTypeProfile::kHf ? RoundToBF16(gain) : gain;
}

template <typename T>
void AddUpdate(const BasicResidualNormArgs<T>& args, T* x, const float* update) {
  for (int64_t i = 0; i < args.hidden; ++i) {
    const T rounded = RoundTo<T>(update[i]);
    x[i] = args.replace ? rounded : RoundTo<T>(ToFloat(x[i]) + ToFloat(rounded));
  }
}

template <typename T>
void LayerNorm(const BasicResidualNormArgs<T>& args, const T* x, T* h) {
  const float mean = Mean(x, args.hidden);
  const float rstd = 1.0f / std::sqrt(Variance(x, mean, args.hidden) + args.epsilon);
  for (int64_t i = 0; i < args.hidden; ++i) {
    const float n = (ToFloat(x[i]) - mean) * rstd;
    h[i] = RoundTo<T>(std::fma(n, Gain(args, i), FloatFromBF16(args.bias[i])));
  }
}

template <typename T>
Status ResidualNorm(Backend&, const BasicResidualNormArgs<T>& args) {
  const FlushDenormals flush;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    T* x = args.x + token * args.hidden;
    if (args.update != nullptr) AddUpdate(args, x, args.update + token * args.hidden);
    if (args.weight != nullptr) LayerNorm(args, x, args.h + token * args.hidden);
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
