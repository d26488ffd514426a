// Chunks as the cells of a grid: proves that they fill a tensor, and finds those that a box meets.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"

namespace nemo::dcp {

/// Each axis is cut at some places, the same over the whole tensor: what sharding by ranks gives.
class ChunkGrid {
 public:
  /// `chunks` lie inside `shape` and are not empty, in any order. kCorruption: they leave a hole,
  /// overlap, or fill the shape in another way than a grid. Cost: sorting them.
  static Result<ChunkGrid> Create(const Shape& shape, std::span<const Box> chunks);

  /// Calls visit(number of the chunk) for each that `box` (inside the shape) meets, row-major.
  /// Stops at the first error.
  Status ForEachChunk(const Box& box, const std::function<Status(size_t)>& visit) const;

 private:
  std::vector<std::vector<int64_t>> cuts_;  // per axis: where chunks begin, rising from 0
  Shape grid_;                              // cuts per axis
  std::vector<size_t> cells_;               // the chunk of each cell, row-major
};

}  // namespace nemo::dcp
