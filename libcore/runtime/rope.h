// Rotary tables. Facts: megatron/core/models/common/embeddings/rotary_pos_embedding.py;
// transformers computes the same (runtime.md 1.1: angle in fp32, values rounded to bf16).
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/tensor/dtype.h"

namespace nemo {

struct RopeTables {
  std::vector<BF16> cos;  ///< [num_positions, rotary_dim / 2]
  std::vector<BF16> sin;
};

/// Row p, column i: the angle p * base^(-2i / rotary_dim), each step in fp32 as the reference does
/// it.
RopeTables MakeRopeTables(int64_t num_positions, int64_t rotary_dim, double base);

}  // namespace nemo
