// What every backend requires of a weight matrix before it packs it.
#pragma once

#include <bit>
#include <span>

#include "libcore/base/format.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// kInvalidArgument unless `weight` has n * k elements, both positive, and `num_leaves` is a power
/// of two up to kNumLeaves that divides k.
inline Status CheckPack(std::span<const BF16> weight, int64_t n, int64_t k, int num_leaves) {
  const auto size = static_cast<int64_t>(weight.size());
  if (n <= 0 || k <= 0 || size % n != 0 || size / n != k) {
    return InvalidArgument(
        Format("a weight of shape [{}, {}] cannot be packed from {} elements", n, k, size));
  }
  if (num_leaves < 1 || num_leaves > kNumLeaves ||
      !std::has_single_bit(static_cast<unsigned>(num_leaves)) || k % num_leaves != 0) {
    return InvalidArgument(
        Format("a weight of shape [{}, {}] cannot be cut in {} leaves along its inputs: "
               "they must be a power of two up to {} that divides {}",
               n, k, num_leaves, kNumLeaves, k));
  }
  return OkStatus();
}

}  // namespace nemo
