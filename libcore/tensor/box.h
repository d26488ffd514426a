// Box: an offset and an extent per axis. Slicing, sharding and chunking are all intersections of
// boxes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// Extents, slowest axis first. Empty: a scalar, one element.
using Shape = std::vector<int64_t>;

/// Product of the extents. kCorruption: a negative extent or a product beyond int64.
Result<int64_t> CheckedNumElements(const Shape& shape);
/// The same for shapes known to be sound (NEMO_CHECK).
int64_t NumElements(const Shape& shape);

struct Box {
  std::vector<int64_t> offset;
  Shape extent;

  /// All of `shape`.
  static Box Whole(const Shape& shape);
  int64_t rank() const { return static_cast<int64_t>(extent.size()); }
  bool operator==(const Box&) const = default;
};

int64_t NumElements(const Box& box);
/// True when the box has the rank of `shape` and stays inside it (negative numbers do not).
bool Contains(const Shape& shape, const Box& box);
/// The common part, nullopt when it is empty. Ranks must agree (NEMO_CHECK).
std::optional<Box> Intersect(const Box& a, const Box& b);
/// The same box counted from `origin` instead of zero.
Box RelativeTo(const Box& box, const std::vector<int64_t>& origin);
/// `[16:32, 0:64]`.
std::string ToString(const Box& box);
/// Multi-dimensional index of the `linear`-th element of `shape` in row-major order.
std::vector<int64_t> IndexOf(const Shape& shape, int64_t linear);

}  // namespace nemo
