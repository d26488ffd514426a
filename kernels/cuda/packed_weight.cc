#include "kernels/cuda/packed_weight.h"

#include <algorithm>

namespace nemo::cuda {

void PackPanel(std::span<const BF16> weight, const PackedShape& shape, int64_t panel,
               std::span<BF16> out) {
  std::fill(out.begin(), out.end(), BF16{0});
  const int64_t first = panel * kPanelColumns;
  const int columns = static_cast<int>(std::min<int64_t>(kPanelColumns, shape.n - first));
  for (int column = 0; column < columns; ++column) {
    for (int leaf = 0; leaf < shape.num_leaves; ++leaf) {
      const BF16* from = weight.data() + (first + column) * shape.k + leaf * shape.leaf_size();
      BF16* to = out.data() + shape.Offset(0, leaf, column);
      for (int64_t i = 0; i < shape.leaf_size(); i += kGroupElements) {
        std::copy(from + i, from + std::min(i + kGroupElements, shape.leaf_size()), to);
        to += kPanelColumns * kGroupElements;
      }
    }
  }
}

}  // namespace nemo::cuda
