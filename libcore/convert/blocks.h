// Cutting a box into pieces small enough to hold in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/tensor/box.h"

namespace nemo {

/// `box` as consecutive slabs of whole rows (axis 0), each of at most `block_bytes` but at least
/// `granularity` rows and a multiple of them (the last one of what is left). A scalar is one block;
/// an empty box none.
std::vector<Box> RowBlocks(const Box& box, int64_t item_size, int64_t block_bytes,
                           int64_t granularity = 1);

/// The rows of a tensor of `shape` that carry meaning: vocabulary tensors are cut at `vocab_size`
/// (when it is known), whatever padding follows.
Box RealRows(const Shape& shape, bool is_vocab, int64_t vocab_size);

}  // namespace nemo
