// The arrangement of weights, which needs no device.
#include "kernels/cuda/packed_weight.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

constexpr BF16 kStale = 0xffff;

/// Row-major [n, k] of the numbers 1, 2, 3, ...
std::vector<BF16> Counted(const PackedShape& shape) {
  std::vector<BF16> weight(shape.n * shape.k);
  std::iota(weight.begin(), weight.end(), BF16{1});
  return weight;
}

class PackedWeightShapes : public ::testing::TestWithParam<PackedShape> {};

TEST_P(PackedWeightShapes, HoldEachElementOnceAndZerosBesides) {
  const PackedShape& shape = GetParam();
  const std::vector<BF16> weight = Counted(shape);
  int64_t zeros = 0;
  for (int64_t panel = 0; panel < shape.panels(); ++panel) {
    std::vector<BF16> out(shape.panel_elements(), kStale);
    PackPanel(weight, shape, panel, out);
    zeros += std::count(out.begin(), out.end(), BF16{0});
    for (int64_t i = 0; i < shape.k * kPanelColumns; ++i) {
      const int64_t column = panel * kPanelColumns + i / shape.k, input = i % shape.k;
      if (column >= shape.n) break;
      const int64_t leaf = input / shape.leaf_size(), element = input % shape.leaf_size();
      const int64_t group = element / kGroupElements;
      const int64_t offset =
          shape.Offset(0, static_cast<int>(leaf), static_cast<int>(column % kPanelColumns)) +
          group * kPanelColumns * kGroupElements + element % kGroupElements;
      ASSERT_EQ(out[offset], weight[column * shape.k + input])
          << Format("column {} input {}", column, input);
    }
  }
  EXPECT_EQ(zeros, shape.panels() * shape.panel_elements() - shape.n * shape.k);
}

INSTANTIATE_TEST_SUITE_P(Matrices, PackedWeightShapes,
                         ::testing::Values(PackedShape{1, 1, 1}, PackedShape{32, 8, 1},
                                           PackedShape{33, 7, 1}, PackedShape{70, 264, 8},
                                           PackedShape{31, 24, 8}, PackedShape{64, 130, 2}));

TEST(PackedShape, SaysWhereEachPanelLeafAndColumnBegins) {
  const PackedShape shape{70, 36, 2};  // leaves of 18 inputs: 3 groups
  EXPECT_EQ(shape.panels(), 3);
  EXPECT_EQ(shape.leaf_groups(), 3);
  EXPECT_EQ(shape.panel_elements(), 2 * 3 * 32 * 8);
  EXPECT_EQ(shape.Offset(0, 0, 5), 5 * 8);
  EXPECT_EQ(shape.Offset(0, 1, 0), 3 * 32 * 8);
  EXPECT_EQ(shape.Offset(2, 0, 0), 2 * shape.panel_elements());
}

}  // namespace
}  // namespace nemo::cuda
