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

float Mean(const BF16* x, int64_t size) {
  Lanes lanes{};
  for (int64_t i = 0; i < size; ++i) lanes[i % kLanes] += FloatFromBF16(x[i]);
  return AddTree(lanes) / static_cast<float>(size);
}

float Variance(const BF16* x, float mean, int64_t size) {
  Lanes lanes{};
  for (int64_t i = 0; i < size; ++i) {
    const float d = FloatFromBF16(x[i]) - mean;
    lanes[i % kLanes] = std::fma(d, d, lanes[i % kLanes]);
  }
  return AddTree(lanes) / static_cast<float>(size);
}

float Gain(const ResidualNormArgs& args, int64_t i) {
  const float w = FloatFromBF16(args.weight[i]);
  if (!args.zero_centered_gamma) return w;
  const float gain = 1.0f + w;
  return args.profile == DTypeProfile::kHf ? RoundToBF16(gain) : gain;
}

void AddUpdate(const ResidualNormArgs& args, BF16* x, const float* update) {
  for (int64_t i = 0; i < args.hidden; ++i) {
    const BF16 rounded = BF16FromFloat(update[i]);
    x[i] = args.replace ? rounded : BF16FromFloat(FloatFromBF16(x[i]) + FloatFromBF16(rounded));
  }
}

void LayerNorm(const ResidualNormArgs& args, const BF16* x, BF16* h) {
  const float mean = Mean(x, args.hidden);
  const float rstd = 1.0f / std::sqrt(Variance(x, mean, args.hidden) + args.epsilon);
  for (int64_t i = 0; i < args.hidden; ++i) {
    const float n = (FloatFromBF16(x[i]) - mean) * rstd;
    h[i] = BF16FromFloat(std::fma(n, Gain(args, i), FloatFromBF16(args.bias[i])));
  }
}

}  // namespace

Status ResidualNorm(Backend&, const ResidualNormArgs& args) {
  const FlushDenormals flush;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    BF16* x = args.x + token * args.hidden;
    if (args.update != nullptr) AddUpdate(args, x, args.update + token * args.hidden);
    if (args.weight != nullptr) LayerNorm(args, x, args.h + token * args.hidden);
  }
  return OkStatus();
}

}  // namespace nemo::reference
