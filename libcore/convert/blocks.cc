#include "libcore/convert/blocks.h"

#include <algorithm>

namespace nemo {

std::vector<Box> RowBlocks(const Box& box, int64_t item_size, int64_t block_bytes,
                           int64_t granularity) {
  std::vector<Box> blocks;
  const int64_t count = NumElements(box);
  if (count == 0) return blocks;
  if (box.extent.empty()) return {box};
  const int64_t row_bytes = count / box.extent[0] * item_size;
  const int64_t rows_per_block =
      std::max<int64_t>(1, block_bytes / row_bytes / granularity) * granularity;
  for (int64_t row = 0; row < box.extent[0]; row += rows_per_block) {
    Box block = box;
    block.offset[0] += row;
    block.extent[0] = std::min(rows_per_block, box.extent[0] - row);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

Box RealRows(const Shape& shape, bool is_vocab, int64_t vocab_size) {
  Box box = Box::Whole(shape);
  if (is_vocab && vocab_size > 0) box.extent[0] = std::min(box.extent[0], vocab_size);
  return box;
}

}  // namespace nemo
