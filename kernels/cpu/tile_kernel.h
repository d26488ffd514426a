// The product of activations with one weight panel on the tiles of AMX: eight registers of up to 16
// rows of 64 bytes, and one instruction that adds the product of two of them to a third. A tile of
// a panel [pairs, 64, 2] is 16 pairs of 16 columns, as it lies there. `Tiles` is the processor's
// (isa_amx.cc) or an imitation that tests run anywhere. It has, for a tile number N:
//   Configure(const TileConfig&)   the shapes; every tile becomes zero
//   Zero<N>()
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

// What the tiles hold: sums of 16 rows and 16 columns in four, 16 pairs of rows and of columns in
// the others. A product with four tiles of sums, each used by every fourth instruction, keeps the
// unit busy; as two by two it loads as many tiles as it multiplies.
enum Tile { kSums, kPairs = 4 };

/// What is configured: rows of the first and the second row tile, pairs of each step.
struct TileShape {
  int64_t rows, more_rows, pairs;
  bool operator==(const TileShape&) const = default;
};

/// Up to 16 rows: sums 0 to 3 are the panel's four groups of 16 columns, tile 4 has the rows'
/// pairs, 5 to 7 the columns'. More: sums 0 and 1 belong to the first 16 rows, 2 and 3 to the
/// others; tiles 4 and 5 have their pairs, 6 and 7 those of two column groups.
inline TileConfig ConfigOf(const TileShape& shape) {
  constexpr int kTileBytes = 64, kPairBytes = 4;
  TileConfig config;
  const auto set = [&config](int tile, int64_t num_rows, int64_t row_bytes) {
    config.num_rows[tile] = static_cast<uint8_t>(num_rows);
    config.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  const bool two = shape.more_rows > 0;
  for (int i = 0; i < 4; ++i) {
    set(kSums + i, two && i >= 2 ? shape.more_rows : shape.rows, kTileBytes);
  }
  set(kPairs, shape.rows, shape.pairs * kPairBytes);
  if (two) {
    set(kPairs + 1, shape.more_rows, shape.pairs * kPairBytes);
  } else {
    set(kPairs + 1, shape.pairs, kTileBytes);
  }
  set(kPairs + 2, shape.pairs, kTileBytes);
  set(kPairs + 3, shape.pairs, kTileBytes);
  return config;
}

inline constexpr int64_t kPairStride = 2 * kPanelColumns * sizeof(BF16);  ///< bytes
inline constexpr int64_t kSumsStride = kPanelColumns * sizeof(float);     ///< bytes
inline constexpr int64_t kGroupElements = 2 * kTileColumns;               ///< of a panel row
inline constexpr int64_t kTileLines = kTilePairs * kPairStride / kLineBytes;

/// What is fetched meanwhile: `lines` cache lines for each step, one after the other.
struct TileAhead {
  const char* from;
  int64_t lines;

  void Fetch() {
    for (int64_t i = 0; i < lines; ++i, from += kLineBytes) __builtin_prefetch(from, 0, 2);
  }
};

/// Operands of one configuration: `num_steps` times shape.pairs pairs. x: row-major.
struct TileTask {
  const BF16* panel;
  const uint32_t* x;
  int64_t x_stride_bytes;
  int64_t num_steps, step_pairs;
  bool clear;  ///< sums are overwritten, not added to
  float* sums;
};

/// Up to 16 rows, all 64 columns.
template <class Tiles>
void OneRowTile(const TileTask& task, TileAhead& ahead) {
  if (task.clear) {
    Tiles::template Zero<0>(), Tiles::template Zero<1>();
    Tiles::template Zero<2>(), Tiles::template Zero<3>();
  } else {
    Tiles::template Load<0>(task.sums, kSumsStride);
    Tiles::template Load<1>(task.sums + kTileColumns, kSumsStride);
    Tiles::template Load<2>(task.sums + 2 * kTileColumns, kSumsStride);
    Tiles::template Load<3>(task.sums + 3 * kTileColumns, kSumsStride);
  }
  const uint32_t* x = task.x;
  const BF16* panel = task.panel;
  for (int64_t step = 0; step < task.num_steps; ++step) {
    ahead.Fetch();
    Tiles::template Load<4>(x, task.x_stride_bytes);
    Tiles::template Load<5>(panel, kPairStride);
    Tiles::template Load<6>(panel + kGroupElements, kPairStride);
    Tiles::template Load<7>(panel + 2 * kGroupElements, kPairStride);
    Tiles::template Dot<0, 4, 5>();
    Tiles::template Load<5>(panel + 3 * kGroupElements, kPairStride);
    Tiles::template Dot<1, 4, 6>();
    Tiles::template Dot<2, 4, 7>();
    Tiles::template Dot<3, 4, 5>();
    x += task.step_pairs;
    panel += task.step_pairs * 2 * kPanelColumns;
  }
  Tiles::template Store<0>(task.sums, kSumsStride);
  Tiles::template Store<1>(task.sums + kTileColumns, kSumsStride);
  Tiles::template Store<2>(task.sums + 2 * kTileColumns, kSumsStride);
  Tiles::template Store<3>(task.sums + 3 * kTileColumns, kSumsStride);
}

/// 17 to 32 rows, two column groups: `panel` and `sums` begin at the first of them.
template <class Tiles>
void TwoRowTiles(const TileTask& task, TileAhead& ahead) {
  float* more_sums = task.sums + kTileRows * kPanelColumns;
  const int64_t more = kTileRows * task.x_stride_bytes / static_cast<int64_t>(sizeof(*task.x));
  if (task.clear) {
    Tiles::template Zero<0>(), Tiles::template Zero<1>();
    Tiles::template Zero<2>(), Tiles::template Zero<3>();
  } else {
    Tiles::template Load<0>(task.sums, kSumsStride);
    Tiles::template Load<1>(task.sums + kTileColumns, kSumsStride);
    Tiles::template Load<2>(more_sums, kSumsStride);
    Tiles::template Load<3>(more_sums + kTileColumns, kSumsStride);
  }
  const uint32_t* x = task.x;
  const BF16* panel = task.panel;
  for (int64_t step = 0; step < task.num_steps; ++step) {
    ahead.Fetch();
    Tiles::template Load<4>(x, task.x_stride_bytes);
    Tiles::template Load<6>(panel, kPairStride);
    Tiles::template Dot<0, 4, 6>();
    Tiles::template Load<7>(panel + kGroupElements, kPairStride);
    Tiles::template Dot<1, 4, 7>();
    Tiles::template Load<5>(x + more, task.x_stride_bytes);
    Tiles::template Dot<2, 5, 6>();
    Tiles::template Dot<3, 5, 7>();
    x += task.step_pairs;
    panel += task.step_pairs * 2 * kPanelColumns;
  }
  Tiles::template Store<0>(task.sums, kSumsStride);
  Tiles::template Store<1>(task.sums + kTileColumns, kSumsStride);
  Tiles::template Store<2>(more_sums, kSumsStride);
  Tiles::template Store<3>(more_sums + kTileColumns, kSumsStride);
}

/// Rows of up to two tiles against slices, configuring only when the shape changes, which costs as
/// much as some products.
template <class Tiles>
class TileWalk {
 public:
  /// sums [rows, 64] += `num_pairs` pairs, or = when `clear`. x: [rows, num_pairs].
  void Block(int64_t rows, const BF16* panel, const uint32_t* x, int64_t num_pairs, bool clear,
             TileAhead ahead, float* sums) {
    const int64_t x_stride = num_pairs * static_cast<int64_t>(sizeof(*x));
    const int64_t num_steps = num_pairs / kTilePairs, whole = num_steps * kTilePairs;
    if (num_steps > 0) {
      Steps(rows, {panel, x, x_stride, num_steps, kTilePairs, clear, sums}, ahead);
    }
    if (whole == num_pairs) return;
    Steps(rows,
          {panel + whole * 2 * kPanelColumns, x + whole, x_stride, 1, num_pairs - whole,
           clear && whole == 0, sums},
          {nullptr, 0});
  }

 private:
  void Steps(int64_t rows, TileTask task, TileAhead ahead) {
    if (rows <= kTileRows) {
      Use({rows, 0, task.step_pairs});
      OneRowTile<Tiles>(task, ahead);
      return;
    }
    Use({kTileRows, rows - kTileRows, task.step_pairs});
    ahead.lines = (ahead.lines + 1) / 2;
    TwoRowTiles<Tiles>(task, ahead);
    task.panel += 2 * kGroupElements;
    task.sums += 2 * kTileColumns;
    TwoRowTiles<Tiles>(task, ahead);
  }

  void Use(const TileShape& shape) {
    if (shape == shape_) return;
    shape_ = shape;
    Tiles::Configure(ConfigOf(shape));
  }

  TileShape shape_ = {};
};

/// DotLeaf of linear_kernel.h for row blocks of one row: `task.x` is row-major within a slice. The
/// tile instruction adds 16 pairs in an order of its own; slices begin at multiples of 16 pairs, so
/// that a row's sums do not depend on the other rows. All rows together fetch the next slice.
template <class Tiles>
void TileLeaf(const PanelTask& task, int leaf, float* sums) {
  constexpr int64_t kBlockRows = 2 * kTileRows, kStreamBytes = 16384;
  const SliceCut slices = SlicesOfLeaf(task.leaf_pairs, task.m);
  const auto* x = static_cast<const uint32_t*>(task.x);
  const int64_t num_blocks = (task.m + kBlockRows - 1) / kBlockRows;
  const int64_t lines = (kTileLines + num_blocks - 1) / num_blocks;
  TileWalk<Tiles> walk;
  for (int64_t slice = 0; slice < slices.count(); ++slice) {
    const int64_t begin = leaf * task.leaf_pairs + slices.at(slice);
    const int64_t num_pairs = slices.at(slice + 1) - slices.at(slice);
    const BF16* panel = task.panel + begin * 2 * kPanelColumns;
    const char* next = reinterpret_cast<const char*>(panel) +
                       (num_blocks == 1 ? kStreamBytes : num_pairs * kPairStride);
    for (int64_t row = 0; row < task.m; row += kBlockRows) {
      const int64_t rows = task.m - row < kBlockRows ? task.m - row : kBlockRows;
      walk.Block(rows, panel, x + begin * task.m + row * num_pairs, num_pairs, slice == 0,
                 {next, lines}, sums + row * kPanelColumns);
      next += num_pairs / kTilePairs * lines * kLineBytes;
    }
  }
}

}  // namespace nemo::cpu
