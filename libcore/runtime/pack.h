// What every backend requires of a weight matrix that it packs.
#pragma once

#include <bit>
#include <iterator>
#include <span>

#include "libcore/base/format.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// kInvalidArgument unless n and k are positive, their product is a size that memory can have, and
/// `num_leaves` is a power of two up to kNumLeaves that divides k.
inline Status CheckPack(int64_t n, int64_t k, int num_leaves) {
  constexpr int64_t kMaxElements = int64_t{1} << 50;
  if (n <= 0 || k <= 0 || k > kMaxElements || n > kMaxElements / k) {
    return InvalidArgument(Format("a weight of shape [{}, {}] cannot be packed", n, k));
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

/// kInvalidArgument unless `rows` are whole rows of `weight` and lie where PackRows takes them.
inline Status CheckRows(const PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) {
  const int64_t size = std::ssize(rows);
  const int64_t count = size / weight.k();
  const bool whole = size % weight.k() == 0 && row_begin >= 0 && count <= weight.n() - row_begin;
  const bool panels =
      row_begin % kPackRows == 0 && (count % kPackRows == 0 || row_begin + count == weight.n());
  if (whole && panels) return OkStatus();
  return InvalidArgument(Format("{} elements from row {} on are no panels of a weight [{}, {}]",
                                size, row_begin, weight.n(), weight.k()));
}

}  // namespace nemo
