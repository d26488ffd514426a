// The work of a conversion, cut to size: which tensors are read together, in which order, and in
// which blocks. Pure arithmetic, no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libcore/layout/plan.h"

namespace nemo {

/// A tensor of a plan.
struct PlanIndex {
  size_t file = 0;
  size_t tensor = 0;
  bool operator==(const PlanIndex&) const = default;
};

/// Tensors with the same rows of one source tensor: shards that divide its columns, copies for
/// several ranks. Read as one box and dealt out in memory, each byte is read once and the disk sees
/// whole rows.
struct WorkGroup {
  std::vector<PlanIndex> members;
  /// More than one member: the union of their sources, and each member's place in it.
  Move shared;
  std::vector<Box> place_in_shared;
  /// Boxes of every member: they have the same shape. Whole rows, ascending.
  std::vector<Box> blocks;
};

/// How many rows the blocks of a planned tensor have to be multiples of.
using RowsPerBlock = std::function<int64_t(const PlanIndex&)>;

/// True when reading these moves one by one would touch the same places of the source again.
using Overlap = std::function<bool(const std::vector<const Move*>&)>;

/// The tensors of the plan for which `wanted`, in groups; only what overlaps is read together.
/// Every file's tensors come in the order of the file. The blocks of a group have at most
/// `block_bytes` of all members together, or the fewest rows allowed.
std::vector<WorkGroup> MakeWork(const Plan& plan,
                                const std::function<bool(const PlanIndex&)>& wanted,
                                const Overlap& overlap, int64_t block_bytes,
                                const RowsPerBlock& rows_per_block);

}  // namespace nemo
