// Rotary tables. Facts: megatron/core/models/common/embeddings/rotary_pos_embedding.py;
// transformers computes the same (runtime.md 1.1: angle in fp32, values rounded to bf16).
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/tensor/dtype.h"

namespace nemo {

template <typename T>
struct BasicRopeTables {
  std::vector<T> cos;  ///< [num_positions, rotary_dim / 2]
  std::vector<T> sin;
};
using RopeTables = BasicRopeTables<BF16>;

/// Row p, column i: the angle p * base^(-2i / rotary_dim), each step in fp32 as the reference does
/// it. T: BF16 or float.
template <typename T = BF16>
BasicRopeTables<T> MakeRopeTables(int64_t num_positions, int64_t rotary_dim, double base);

}  // namespace nemo
