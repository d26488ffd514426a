// The product of packed activations with one weight panel, over a vector type V of 16 floats.
// Included only by isa_*.cc, after the file has chosen its instruction set.
#pragma once

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

/// 64 rows of `size` elements, `stride` apart, to a panel [pairs, 64, 2].
template <class V>
void PackPanel(const BF16* rows, int64_t stride, int64_t size, BF16* panel) {
  auto* out = reinterpret_cast<uint32_t*>(panel);
  int64_t pair = 0;
  for (; 2 * (pair + V::kTransposePairs) <= size; pair += V::kTransposePairs) {
    V::TransposePairs(rows + 2 * pair, stride, out + pair * kPanelColumns);
  }
  for (; 2 * pair < size; ++pair) {
    for (int64_t row = 0; row < kPanelColumns; ++row) {
      const BF16* x = rows + row * stride + 2 * pair;
      const uint32_t odd = 2 * pair + 1 < size ? x[1] : 0;
      out[pair * kPanelColumns + row] = x[0] | odd << 16;
    }
  }
}

/// Adds `num_pairs` pairs to `sums` [R, 64]. panel: [num_pairs, 64, 2]; x: [num_pairs, R].
/// Each element of `sums` sees its pairs in order, whatever R.
template <class V, int R>
void DotBlock(const BF16* panel, const uint32_t* x, int64_t num_pairs, float* sums) {
  using F = typename V::F;
  constexpr int64_t kPrefetchPairs = 8;  // 2 KiB ahead of the loads
  for (int64_t first = 0; first < kPanelColumns; first += 16 * V::kColumns) {
    F acc[R][V::kColumns];
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) {
      NEMO_UNROLL
      for (int c = 0; c < V::kColumns; ++c) {
        acc[r][c] = V::Load(sums + r * kPanelColumns + first + 16 * c);
      }
    }
    const BF16* w = panel + 2 * first;
    for (int64_t p = 0; p < num_pairs; ++p, w += 2 * kPanelColumns) {
      typename V::Pairs weight[V::kColumns];
      NEMO_UNROLL
      for (int c = 0; c < V::kColumns; ++c) {
        __builtin_prefetch(w + kPrefetchPairs * 2 * kPanelColumns + 32 * c);
        weight[c] = V::LoadPairs(w + 32 * c);
      }
      NEMO_UNROLL
      for (int r = 0; r < R; ++r) {
        const auto value = V::BroadcastPair(x[p * R + r]);
        NEMO_UNROLL
        for (int c = 0; c < V::kColumns; ++c) acc[r][c] = V::Dot(acc[r][c], weight[c], value);
      }
    }
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) {
      NEMO_UNROLL
      for (int c = 0; c < V::kColumns; ++c) {
        V::Store(sums + r * kPanelColumns + first + 16 * c, acc[r][c]);
      }
    }
  }
}

/// DotBlock for a number of rows known only at run time, `rows` <= V::kRows.
template <class V, int R = V::kRows>
void DotRows(int64_t rows, const BF16* panel, const uint32_t* x, int64_t num_pairs, float* sums) {
  if (rows == R) {
    DotBlock<V, R>(panel, x, num_pairs, sums);
  } else if constexpr (R > 1) {
    DotRows<V, R - 1>(rows, panel, x, num_pairs, sums);
  }
}

/// One leaf for all rows, in slices of pairs that stay in the second-level cache while the row
/// blocks pass.
template <class V>
void DotLeaf(const PanelTask& task, int leaf, float* sums) {
  constexpr int64_t kSlicePairs = 512;
  const int64_t row_pairs = task.num_leaves * task.leaf_pairs;
  const int64_t leaf_begin = leaf * task.leaf_pairs;
  for (int64_t begin = 0; begin < task.leaf_pairs; begin += kSlicePairs) {
    const int64_t rest = task.leaf_pairs - begin;
    const int64_t num_pairs = rest < kSlicePairs ? rest : kSlicePairs;
    const BF16* panel = task.panel + (leaf_begin + begin) * 2 * kPanelColumns;
    for (int64_t row = 0; row < task.m; row += V::kRows) {
      const int64_t rows = task.m - row < V::kRows ? task.m - row : V::kRows;
      const uint32_t* x = task.x + row * row_pairs + (leaf_begin + begin) * rows;
      DotRows<V>(rows, panel, x, num_pairs, sums + row * kPanelColumns);
    }
  }
}

template <class V>
void StoreRow(const PanelTask& task, const float* sums, int64_t row) {
  if (task.epilogue == Epilogue::kFloat) {
    float* y = static_cast<float*>(task.y) + row * task.y_stride;
    for (int64_t c = 0; c < task.num_columns; ++c) y[c] = sums[c];
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
template <class V>
void Panel(const PanelTask& task) {
  const int64_t size = task.m * kPanelColumns;
  float* top = task.sums;
  for (int leaf = 0; leaf < task.num_leaves; ++leaf) {
    for (int64_t i = 0; i < size; i += 16) V::Store(top + i, V::Set(0.0f));
    DotLeaf<V>(task, leaf, top);
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
