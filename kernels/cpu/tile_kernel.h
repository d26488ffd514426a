// The product of activations with one weight panel on the tiles of AMX: eight registers of up to 16
// rows of 64 bytes, and one instruction that adds the product of two of them to a third. A tile of
// a panel [pairs, 64, 2] is 16 pairs of 16 columns, as it lies there. `Tiles` is the processor's
// (isa_amx.cc) or an imitation that tests run anywhere. It has, for a tile number N:
//   Configure(const TileConfig&)   the shapes; every tile becomes zero
//   Load<N>(from, stride_bytes), Store<N>(to, stride_bytes)   row by row
//   Dot<S, A, B>()   S[i][j] += A[i][2p] * B[p][2j] + A[i][2p + 1] * B[p][2j + 1] for all p
#pragma once

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

inline constexpr int kTileRows = 16;
inline constexpr int kTileColumns = 16;  // floats, or pairs: 64 bytes of a row either way

/// The operand of ldtilecfg.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};  ///< by tile
  uint8_t num_rows[16] = {};    ///< by tile
};
static_assert(sizeof(TileConfig) == 64);

// What the tiles hold: 0 to 3 the sums of the panel's four groups of 16 columns, then 16 pairs of
// the rows and of a column group, then the same of the pairs that are left at the end.
enum Tile { kSums, kRowPairs = 4, kColumnPairs, kLastRowPairs, kLastColumnPairs };

/// Shapes for up to 16 rows and `num_last` left-over pairs.
template <class Tiles>
TileConfig ConfigOf(int64_t rows, int64_t num_last) {
  constexpr int kTileBytes = 64, kPairBytes = 4;
  TileConfig config;
  const auto shape = [&config](int tile, int64_t num_rows, int64_t row_bytes) {
    config.num_rows[tile] = static_cast<uint8_t>(num_rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  for (int group = 0; group < 4; ++group) shape(kSums + group, rows, kTileBytes);
  shape(kRowPairs, rows, kTileBytes);
  shape(kColumnPairs, kTilePairs, kTileBytes);
  if (num_last > 0) {
    shape(kLastRowPairs, rows, num_last * kPairBytes);
    shape(kLastColumnPairs, num_last, kTileBytes);
  }
  return config;
}

/// The sums of four column groups += the product of row pairs at `x` with panel pairs at `panel`.
template <class Tiles, int kRowTile, int kColumnTile>
void DotTiles(const uint32_t* x, int64_t x_stride_bytes, const BF16* panel) {
  constexpr int64_t kPanelStride = 2 * kPanelColumns * sizeof(BF16);
  constexpr int64_t kGroup = 2 * kTileColumns;  // elements
  Tiles::template Load<kRowTile>(x, x_stride_bytes);
  Tiles::template Load<kColumnTile>(panel, kPanelStride);
  Tiles::template Dot<kSums, kRowTile, kColumnTile>();
  Tiles::template Load<kColumnTile>(panel + kGroup, kPanelStride);
  Tiles::template Dot<kSums + 1, kRowTile, kColumnTile>();
  Tiles::template Load<kColumnTile>(panel + 2 * kGroup, kPanelStride);
  Tiles::template Dot<kSums + 2, kRowTile, kColumnTile>();
  Tiles::template Load<kColumnTile>(panel + 3 * kGroup, kPanelStride);
  Tiles::template Dot<kSums + 3, kRowTile, kColumnTile>();
}

/// sums [rows, 64] += `num_pairs` pairs, or = when `clear`; `rows` <= 16. x: [rows, num_pairs].
template <class Tiles>
void TileBlock(int64_t rows, const BF16* panel, const uint32_t* x, int64_t num_pairs, bool clear,
               float* sums) {
  constexpr int64_t kSumsStride = kPanelColumns * sizeof(float);
  const int64_t x_stride = num_pairs * static_cast<int64_t>(sizeof(*x));
  const int64_t num_last = num_pairs % kTilePairs;
  Tiles::Configure(ConfigOf<Tiles>(rows, num_last));
  if (!clear) {
    Tiles::template Load<kSums>(sums, kSumsStride);
    Tiles::template Load<kSums + 1>(sums + kTileColumns, kSumsStride);
    Tiles::template Load<kSums + 2>(sums + 2 * kTileColumns, kSumsStride);
    Tiles::template Load<kSums + 3>(sums + 3 * kTileColumns, kSumsStride);
  }
  int64_t pair = 0;
  for (; pair + kTilePairs <= num_pairs; pair += kTilePairs) {
    DotTiles<Tiles, kRowPairs, kColumnPairs>(x + pair, x_stride, panel + pair * 2 * kPanelColumns);
  }
  if (num_last > 0) {
    DotTiles<Tiles, kLastRowPairs, kLastColumnPairs>(x + pair, x_stride,
                                                     panel + pair * 2 * kPanelColumns);
  }
  Tiles::template Store<kSums>(sums, kSumsStride);
  Tiles::template Store<kSums + 1>(sums + kTileColumns, kSumsStride);
  Tiles::template Store<kSums + 2>(sums + 2 * kTileColumns, kSumsStride);
  Tiles::template Store<kSums + 3>(sums + 3 * kTileColumns, kSumsStride);
}

/// DotLeaf of linear_kernel.h for row blocks of one row: `task.x` is row-major within a slice. The
/// tile instruction adds 16 pairs in an order of its own; slices begin at multiples of 16 pairs, so
/// that a row's sums do not depend on the other rows.
template <class Tiles>
void TileLeaf(const PanelTask& task, int leaf, float* sums) {
  const SliceCut slices = SlicesOfLeaf(task.leaf_pairs, task.m);
  const auto* x = static_cast<const uint32_t*>(task.x);
  for (int64_t slice = 0; slice < slices.count(); ++slice) {
    const int64_t begin = leaf * task.leaf_pairs + slices.at(slice);
    const int64_t num_pairs = slices.at(slice + 1) - slices.at(slice);
    for (int64_t row = 0; row < task.m; row += kTileRows) {
      const int64_t rows = task.m - row < kTileRows ? task.m - row : kTileRows;
      TileBlock<Tiles>(rows, task.panel + begin * 2 * kPanelColumns,
                       x + begin * task.m + row * num_pairs, num_pairs, slice == 0,
                       sums + row * kPanelColumns);
    }
  }
}

}  // namespace nemo::cpu
