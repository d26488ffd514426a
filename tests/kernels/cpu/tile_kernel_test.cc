// The walk over tiles, on an imitation of the tile registers that runs anywhere and refuses what
// the processor would refuse. The arithmetic of one instruction is the one thing it takes on trust.
#include "kernels/cpu/tile_kernel.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo::cpu {
namespace {

/// A program has one set of these, as a core has; the tests use one thread.
struct ImitatedTiles {
  struct Row {
    std::byte bytes[64];
  };
  static inline TileConfig config;
  static inline Row tiles[8][16];

  static void Configure(const TileConfig& new_config) {
    config = new_config;
    EXPECT_EQ(config.palette, 1);
    for (int tile = 0; tile < 16; ++tile) {
      EXPECT_LE(config.num_rows[tile], tile < 8 ? 16 : 0);
      EXPECT_LE(config.row_bytes[tile], tile < 8 ? 64 : 0);
    }
    std::memset(tiles, 0, sizeof(tiles));
  }
  template <int kTile>
  static void Zero() {
    ASSERT_GT(config.num_rows[kTile], 0);
    for (Row& row : tiles[kTile]) row = {};
  }
  template <int kTile>
  static void Load(const void* from, int64_t stride_bytes) {
    ASSERT_GT(config.num_rows[kTile], 0);
    for (int row = 0; row < config.num_rows[kTile]; ++row) {
      tiles[kTile][row] = {};
      std::memcpy(tiles[kTile][row].bytes, static_cast<const std::byte*>(from) + row * stride_bytes,
                  config.row_bytes[kTile]);
    }
  }
  template <int kTile>
  static void Store(void* to, int64_t stride_bytes) {
    ASSERT_GT(config.num_rows[kTile], 0);
    for (int row = 0; row < config.num_rows[kTile]; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * stride_bytes, tiles[kTile][row].bytes,
                  config.row_bytes[kTile]);
    }
  }
  template <typename T>
  static T At(int tile, int row, int index) {
    T value;
    std::memcpy(&value, tiles[tile][row].bytes + index * sizeof(T), sizeof(T));
    return value;
  }
  template <int kSumsTile, int kA, int kB>
  static void Dot() {
    const auto& [palette, start, reserved, row_bytes, num_rows] = config;
    ASSERT_EQ(num_rows[kSumsTile], num_rows[kA]);
    ASSERT_EQ(row_bytes[kSumsTile], row_bytes[kB]);
    ASSERT_EQ(row_bytes[kA], 4 * num_rows[kB]);
    for (int i = 0; i < num_rows[kA]; ++i) {
      for (int j = 0; j < row_bytes[kB] / 4; ++j) {
        auto sum = At<float>(kSumsTile, i, j);
        for (int p = 0; p < num_rows[kB]; ++p) {
          for (int half : {0, 1}) {
            sum += FloatFromBF16(At<BF16>(kA, i, 2 * p + half)) *
                   FloatFromBF16(At<BF16>(kB, p, 2 * j + half));
          }
        }
        std::memcpy(tiles[kSumsTile][i].bytes + j * sizeof(sum), &sum, sizeof(sum));
      }
    }
  }
};

std::vector<float> RandomNumbers(std::mt19937& random, int64_t count) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> out(count);
  for (float& v : out) v = RoundToBF16(uniform(random));
  return out;
}

void ExpectProductOfLeaf(int64_t m, int64_t leaf_pairs, int num_leaves, int leaf) {
  std::mt19937 random(static_cast<unsigned>(m * 1000 + leaf_pairs));
  const int64_t k = num_leaves * leaf_pairs * 2;
  const std::vector<float> x = RandomNumbers(random, m * k);
  const std::vector<float> w = RandomNumbers(random, kPanelColumns * k);
  std::vector<BF16> panel;
  for (int64_t pair = 0; pair < k / 2; ++pair) {
    for (int64_t column = 0; column < kPanelColumns; ++column) {
      for (int half : {0, 1}) panel.push_back(BF16FromFloat(w[column * k + 2 * pair + half]));
    }
  }
  std::vector<BF16> packed;  // slices of leaves, row-major inside
  const SliceCut slices = SlicesOfLeaf(leaf_pairs, m);
  for (int l = 0; l < num_leaves; ++l) {
    for (int64_t slice = 0; slice < slices.count(); ++slice) {
      for (int64_t row = 0; row < m; ++row) {
        for (int64_t pair = slices.at(slice); pair < slices.at(slice + 1); ++pair) {
          const float* from = &x[row * k + 2 * (l * leaf_pairs + pair)];
          for (int half : {0, 1}) packed.push_back(BF16FromFloat(from[half]));
        }
      }
    }
  }
  std::vector<float> sums(m * kPanelColumns, 1e9f);
  TileLeaf<ImitatedTiles>({.panel = panel.data(),
                           .x = reinterpret_cast<const uint32_t*>(packed.data()),
                           .m = m,
                           .leaf_pairs = leaf_pairs,
                           .num_leaves = num_leaves},
                          leaf, sums.data());
  const int64_t begin = leaf * leaf_pairs * 2, end = begin + leaf_pairs * 2;
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < kPanelColumns; ++column) {
      double expected = 0;
      for (int64_t i = begin; i < end; ++i) expected += double{x[row * k + i]} * w[column * k + i];
      // Products are at most 1 in size: each of 2 * leaf_pairs additions rounds a sum below that.
      const double bound = std::ldexp(static_cast<double>(leaf_pairs) * leaf_pairs * 4, -24);
      ASSERT_NEAR(sums[row * kPanelColumns + column], expected, bound)
          << Format("m {} pairs {} leaf {} row {} column {}", m, leaf_pairs, leaf, row, column);
    }
  }
}

TEST(TileKernel, MultipliesAnyNumberOfRowsAndPairs) {
  for (int64_t m : {1, 2, 15, 16, 17, 32, 33, 48, 50}) {
    for (int64_t leaf_pairs : {1, 15, 16, 17, 40, 64, 65, 500}) {
      ExpectProductOfLeaf(m, leaf_pairs, 1, 0);
    }
  }
}

TEST(TileKernel, TakesEachLeafByItself) {
  for (int leaf = 0; leaf < 4; ++leaf) ExpectProductOfLeaf(18, 70, 4, leaf);
}

TEST(SliceCut, CoversALeafWithWholeTilesButTheLast) {
  for (int64_t pairs : {1, 16, 17, 63, 64, 65, 383, 384, 385, 1000, 4608}) {
    for (int64_t blocks : {1, 2, 3, 4, 43}) {
      const SliceCut cut = SlicesOfLeaf(pairs, blocks);
      ASSERT_GE(cut.count(), 1);
      EXPECT_EQ(cut.at(0), 0);
      EXPECT_EQ(cut.at(cut.count()), pairs);
      for (int64_t i = 0; i < cut.count(); ++i) {
        EXPECT_EQ(cut.at(i) % kTilePairs, 0);
        EXPECT_LT(cut.at(i), cut.at(i + 1));
      }
    }
  }
}

}  // namespace
}  // namespace nemo::cpu
