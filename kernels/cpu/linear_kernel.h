// The product of packed activations with one weight panel, over a vector type V of 16 floats. V
// takes its activations as V::X, and multiplies a pair in V::kParts steps, each a Dot. Included
// only by isa_*.cc, after the file has chosen its instruction set.
#pragma once

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

/// `count` of 64 rows of `size` elements, `stride` apart, to a panel [pairs, 64, 2]. Some of the
/// rows behind them may be packed as well (they must exist), the others keep what they had. Group
/// after group of V::kTransposeRows rows; the next group is fetched meanwhile, and in the end what
/// follows the 64 rows (the next panel's, or a page's values).
template <class V>
void PackPanel(const BF16* rows, int64_t stride, int64_t size, int64_t count, BF16* panel) {
  constexpr int64_t kGroup = V::kTransposeRows;
  auto* out = reinterpret_cast<uint32_t*>(panel);
  const int64_t num_whole = size / 2 / V::kTransposePairs * V::kTransposePairs;
  for (int64_t row = 0; row < count; row += kGroup) {
    const BF16* group = rows + row * stride;
    const BF16* ahead =
        row + kGroup < count ? group + kGroup * stride : rows + kPanelColumns * stride;
    for (int64_t pair = 0; pair < num_whole; pair += V::kTransposePairs) {
      for (int64_t i = 0; i < kGroup; ++i) {
        __builtin_prefetch(ahead + i * stride + 2 * pair);
      }
      V::TransposePairs(group + 2 * pair, stride, out + pair * kPanelColumns + row);
    }
  }
  for (int64_t pair = num_whole; 2 * pair < size; ++pair) {
    for (int64_t row = 0; row < count; ++row) {
      const BF16* x = rows + row * stride + 2 * pair;
      const uint32_t odd = 2 * pair + 1 < size ? x[1] : 0;
      out[pair * kPanelColumns + row] = x[0] | odd << 16;
    }
  }
}

/// What a product asks the memory for while it computes: `lines` cache lines (64 bytes) per pair,
/// one after the other from `from` on. Past the end of the weight that does no harm.
struct Ahead {
  const char* from;
  int lines;
};

/// Groups of 16 columns that a block of `rows` takes at once: of one or two rows several, so that
/// enough additions are under way.
template <class V>
constexpr int ColumnsOf(int rows) {
  constexpr int kAllColumns = kPanelColumns / 16;
  int columns = V::kColumns;
  while (columns < kAllColumns && 2 * columns * rows <= kAllColumns) columns *= 2;
  return columns;
}

/// sums [R, 64] += `num_pairs` pairs, or = when `clear`. panel: [num_pairs, 64, 2]; x: [num_pairs,
/// R]. Each element of `sums` sees its pairs in order, whatever R.
template <class V, int R, int kLines>
void DotBlock(const BF16* panel, const typename V::X* x, int64_t num_pairs, bool clear,
              const char* ahead, float* sums) {
  using F = typename V::F;
  constexpr int kColumns = ColumnsOf<V>(R);
  // Of several passes over the columns each fetches its share.
  constexpr int kPasses = kPanelColumns / (16 * kColumns);
  constexpr int kPassLines = (kLines + kPasses - 1) / kPasses;
  constexpr int kFetchColumns = kLines == 0 ? 0 : kLines / kPassLines * 16 * kColumns;
  for (int64_t first = 0; first < kPanelColumns; first += 16 * kColumns) {
    F acc[R][kColumns];
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) {
      NEMO_UNROLL
      for (int c = 0; c < kColumns; ++c) acc[r][c] = V::Set(0.0f);
    }
    if (!clear) {
      NEMO_UNROLL
      for (int r = 0; r < R; ++r) {
        NEMO_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          acc[r][c] = V::Load(sums + r * kPanelColumns + first + 16 * c);
        }
      }
    }
    const BF16* w = panel + 2 * first;
    for (int64_t p = 0; p < num_pairs; ++p, w += 2 * kPanelColumns) {
      if (first < kFetchColumns) {
        const int64_t line = (first / (16 * kColumns) * num_pairs + p) * kPassLines;
        NEMO_UNROLL
        for (int i = 0; i < kPassLines; ++i) __builtin_prefetch(ahead + (line + i) * kLineBytes);
      }
      NEMO_UNROLL
      for (int part = 0; part < V::kParts; ++part) {
        typename V::Pairs weight[kColumns];
        NEMO_UNROLL
        for (int c = 0; c < kColumns; ++c) weight[c] = V::LoadPairs(w + 32 * c, part);
        NEMO_UNROLL
        for (int r = 0; r < R; ++r) {
          const auto value = V::BroadcastPair(x[p * R + r], part);
          NEMO_UNROLL
          for (int c = 0; c < kColumns; ++c) acc[r][c] = V::Dot(acc[r][c], weight[c], value);
        }
      }
    }
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) {
      NEMO_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        V::Store(sums + r * kPanelColumns + first + 16 * c, acc[r][c]);
      }
    }
  }
}

/// DotBlock for numbers known only at run time: `rows` <= V::kRows, ahead.lines 0, 1, 2 or 4.
template <class V, int R = V::kRows>
void DotRows(int64_t rows, const BF16* panel, const typename V::X* x, int64_t num_pairs, bool clear,
             const Ahead& ahead, float* sums) {
  if (rows == R) {
    switch (ahead.lines) {
      case 4:
        return DotBlock<V, R, 4>(panel, x, num_pairs, clear, ahead.from, sums);
      case 2:
        return DotBlock<V, R, 2>(panel, x, num_pairs, clear, ahead.from, sums);
      case 1:
        return DotBlock<V, R, 1>(panel, x, num_pairs, clear, ahead.from, sums);
      default:
        return DotBlock<V, R, 0>(panel, x, num_pairs, clear, nullptr, sums);
    }
  } else if constexpr (R > 1) {
    DotRows<V, R - 1>(rows, panel, x, num_pairs, clear, ahead, sums);
  }
}

/// What row block `block` of `num_blocks` fetches while it passes the slice of `num_pairs` pairs at
/// `panel`. One block alone is bound by the memory and asks for what it needs a little later; more
/// of them share out the next slice (of the next leaf or panel in the end), so that the memory is
/// busy all the time and not only while the first block passes.
template <class V>
Ahead AheadOf(int64_t block, int64_t num_blocks, const BF16* panel, int64_t num_pairs) {
  constexpr int64_t kPairBytes = 2 * kPanelColumns * sizeof(BF16);
  constexpr int64_t kStreamBytes = 8192;
  const char* begin = reinterpret_cast<const char*>(panel);
  if (num_blocks == 1) return {begin + kStreamBytes, 4};
  const int lines = num_blocks < 4 ? 2 : 1;
  if (block * lines >= kPairBytes / kLineBytes) return {nullptr, 0};
  return {begin + num_pairs * (kPairBytes + block * lines * kLineBytes), lines};
}

/// From so many row blocks on it pays to widen weights once for all of them.
inline constexpr int64_t kWidenBlocks = 6;

/// 16 columns of `num_pairs` pairs of a panel as floats: [num_pairs, 2, 16], the odd elements
/// first.
template <class V>
void WidenColumns(const BF16* columns, int64_t num_pairs, float* wide) {
  for (int64_t p = 0; p < num_pairs; ++p, columns += 2 * kPanelColumns, wide += 32) {
    V::Store(wide, V::LoadPairs(columns, 0));
    V::Store(wide + 16, V::LoadPairs(columns, 1));
  }
}

/// DotBlock for 16 columns that WidenColumns has made floats of.
template <class V, int R>
void DotWide(const float* wide, const WidePair* x, int64_t num_pairs, bool clear, float* sums) {
  typename V::F acc[R];
  NEMO_UNROLL
  for (int r = 0; r < R; ++r) acc[r] = clear ? V::Set(0.0f) : V::Load(sums + r * kPanelColumns);
  for (int64_t p = 0; p < num_pairs; ++p, wide += 32, x += R) {
    const auto odd = V::Load(wide);
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) acc[r] = V::Fma(odd, V::Set(x[r].odd), acc[r]);
    const auto even = V::Load(wide + 16);
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) acc[r] = V::Fma(even, V::Set(x[r].even), acc[r]);
  }
  NEMO_UNROLL
  for (int r = 0; r < R; ++r) V::Store(sums + r * kPanelColumns, acc[r]);
}

/// DotWide for a number of rows known only at run time.
template <class V, int R = V::kRows>
void DotWideRows(int64_t rows, const float* wide, const WidePair* x, int64_t num_pairs, bool clear,
                 float* sums) {
  if (rows == R) {
    DotWide<V, R>(wide, x, num_pairs, clear, sums);
  } else if constexpr (R > 1) {
    DotWideRows<V, R - 1>(rows, wide, x, num_pairs, clear, sums);
  }
}

/// What DotLeaf does, for many rows. Some pairs of 16 columns become floats once, stay in the
/// first-level cache, and meet all rows: the units that multiply need not widen them for each
/// block. Meanwhile each block asks for its share of the panel's next pairs.
template <class V>
void DotLeafWide(const PanelTask& task, int leaf, float* sums) {
  constexpr int64_t kMaxPairs = 128;
  constexpr int64_t kGroups = kPanelColumns / 16;
  alignas(kLineBytes) float wide[kMaxPairs * 32];
  const EvenCut blocks = EvenCut::InPartsOf(V::kRows, task.m);
  const SliceCut slices = SlicesOfLeaf(task.leaf_pairs, blocks.count);
  const auto* x = static_cast<const WidePair*>(task.x);
  for (int64_t slice = 0; slice < slices.count(); ++slice) {
    const int64_t begin = leaf * task.leaf_pairs + slices.at(slice);
    const int64_t num_pairs = slices.at(slice + 1) - slices.at(slice);
    const EvenCut parts = EvenCut::InPartsOf(kMaxPairs, num_pairs);
    for (int64_t part = 0; part < parts.count; ++part) {
      const int64_t first = parts.at(part), size = parts.at(part + 1) - first;
      const BF16* panel = task.panel + (begin + first) * 2 * kPanelColumns;
      const BF16* ahead = panel + size * 2 * kPanelColumns;
      const EvenCut shares = {size * kGroups, blocks.count * kGroups};
      for (int64_t group = 0; group < kGroups; ++group) {
        WidenColumns<V>(panel + group * 32, size, wide);
        for (int64_t block = 0; block < blocks.count; ++block) {
          const int64_t share = group * blocks.count + block;
          for (int64_t line = shares.at(share); line < shares.at(share + 1); ++line) {
            __builtin_prefetch(ahead + line * 32, 0, 2);
          }
          const int64_t row = blocks.at(block), rows = blocks.at(block + 1) - row;
          DotWideRows<V>(rows, wide, x + begin * task.m + row * num_pairs + first * rows, size,
                         slice == 0 && part == 0, sums + row * kPanelColumns + group * 16);
        }
      }
    }
  }
}

/// One block alone, on an instruction set that passes the columns several times: a little of the
/// panel after the other, so that the memory works all the time and not only in the first pass.
template <class V>
void DotAlone(const PanelTask& task, int leaf, float* sums) {
  constexpr int64_t kMaxPairs = 64;
  const EvenCut parts = EvenCut::InPartsOf(kMaxPairs, task.leaf_pairs);
  for (int64_t part = 0; part < parts.count; ++part) {
    const int64_t begin = leaf * task.leaf_pairs + parts.at(part);
    const int64_t num_pairs = parts.at(part + 1) - parts.at(part);
    const BF16* panel = task.panel + begin * 2 * kPanelColumns;
    const Ahead ahead = {reinterpret_cast<const char*>(panel + num_pairs * 2 * kPanelColumns), 4};
    DotRows<V>(task.m, panel, static_cast<const typename V::X*>(task.x) + begin * task.m, num_pairs,
               part == 0, ahead, sums);
  }
}

/// One leaf for all rows, slice by slice. `sums` [m, 64] is overwritten.
template <class V>
void DotLeaf(const PanelTask& task, int leaf, float* sums) {
  const EvenCut blocks = EvenCut::InPartsOf(V::kRows, task.m);
  if constexpr (V::kWidens) {
    if (blocks.count == 1 && task.m > 1) return DotAlone<V>(task, leaf, sums);
    if (blocks.count >= kWidenBlocks) return DotLeafWide<V>(task, leaf, sums);
  }
  const SliceCut slices = SlicesOfLeaf(task.leaf_pairs, blocks.count);
  const auto* x = static_cast<const typename V::X*>(task.x);
  for (int64_t slice = 0; slice < slices.count(); ++slice) {
    const int64_t begin = leaf * task.leaf_pairs + slices.at(slice);
    const int64_t num_pairs = slices.at(slice + 1) - slices.at(slice);
    const BF16* panel = task.panel + begin * 2 * kPanelColumns;
    for (int64_t block = 0; block < blocks.count; ++block) {
      const int64_t row = blocks.at(block);
      DotRows<V>(blocks.at(block + 1) - row, panel, x + begin * task.m + row * num_pairs, num_pairs,
                 slice == 0, AheadOf<V>(block, blocks.count, panel, num_pairs),
                 sums + row * kPanelColumns);
    }
  }
}

template <class V>
void StoreRow(const PanelTask& task, const float* sums, int64_t row) {
  if (task.epilogue == Epilogue::kFloat) {
    float* y = static_cast<float*>(task.y) + row * task.y_stride;
    int64_t c = 0;
    for (; c + 16 <= task.num_columns; c += 16) V::Store(y + c, V::Load(sums + c));
    for (; c < task.num_columns; ++c) y[c] = sums[c];
    return;
  }
  BF16* y = static_cast<BF16*>(task.y) + row * task.y_stride;
  for (int64_t c = 0; c < task.num_columns; c += 16) {
    auto value = V::Load(sums + c);
    if (task.epilogue == Epilogue::kRelu2Bf16) {
      const auto u = V::Max(V::Set(0.0f), V::RoundToBF16(value));
      value = V::Mul(u, u);
    }
    V::StoreBF16(y + c, value, task.num_columns - c);
  }
}

/// Leaves are added like the digits of a binary counter: two sums of equal height become one.
template <class V, void (*kDotLeaf)(const PanelTask& task, int leaf, float* sums) = DotLeaf<V>>
void Panel(const PanelTask& task) {
  const int64_t size = task.m * kPanelColumns;
  float* top = task.sums;
  for (int leaf = 0; leaf < task.num_leaves; ++leaf) {
    kDotLeaf(task, leaf, top);
    for (int done = leaf; done % 2 == 1; done /= 2) {
      float* left = top - size;
      for (int64_t i = 0; i < size; i += 16) {
        V::Store(left + i, V::Add(V::Load(left + i), V::Load(top + i)));
      }
      top = left;
    }
    top += size;
  }
  for (int64_t row = 0; row < task.m; ++row) {
    StoreRow<V>(task, task.sums + row * kPanelColumns, row);
  }
}

}  // namespace nemo::cpu
