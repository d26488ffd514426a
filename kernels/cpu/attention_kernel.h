// Paged causal attention of some tokens of one sequence against one key-value head, over a vector
// type V of 16 floats (see isa.h). A page of keys becomes a weight panel, so the scores of all rows
// (token x query head of the group) are one small product; each element still sees its own order of
// operations only.
#pragma once

#include <limits>

#include "kernels/cpu/attention_scratch.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear_kernel.h"

namespace nemo::cpu {

/// Values are fetched this far before they are needed.
inline constexpr int64_t kFetchTokens = 16;

template <class V>
float ExpOne(float x) {
  float lanes[16];
  V::Store(lanes, V::Exp(V::Set(x)));
  return lanes[0];
}

/// One row's scores become weights that are not yet rounded; its running maximum grows.
template <class V>
void ExpRow(AttentionScratch& s, int64_t row, float scale) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  float* scores = s.scores + row * kPageTokens;
  auto page_max = V::Set(kLowest);
  for (int64_t i = 0; i < kPageTokens; i += 16) {
    V::Store(scores + i, V::Mul(V::Load(scores + i), V::Set(scale)));
  }
  for (int64_t i = s.counts[row]; i < kPageTokens; ++i) scores[i] = kLowest;
  for (int64_t i = 0; i < kPageTokens; i += 16) page_max = V::Max(V::Load(scores + i), page_max);
  float lanes[16];
  V::Store(lanes, page_max);
  float max = s.max[row];
  for (float lane : lanes) {
    if (lane > max) max = lane;
  }
  s.keep[row] = ExpOne<V>(s.max[row] - max);
  s.max[row] = max;
  for (int64_t i = 0; i < kPageTokens; i += 16) {
    V::Store(scores + i, V::Exp(V::Sub(V::Load(scores + i), V::Set(max))));
  }
}

/// Adds the weights of R rows to the rows' sums, each row in the order of its tokens. Several rows
/// at once, since each addition waits for the one before it.
template <class V, int R>
void SumRows(AttentionScratch& s, int64_t row) {
  const float* weights = s.scores + row * kPageTokens;
  float sums[R] = {};
  int64_t common = kPageTokens;
  for (int r = 0; r < R; ++r) common = s.counts[row + r] < common ? s.counts[row + r] : common;
  for (int64_t i = 0; i < common; ++i) {
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) sums[r] += weights[r * kPageTokens + i];
  }
  for (int r = 0; r < R; ++r) {
    for (int64_t i = common; i < s.counts[row + r]; ++i) sums[r] += weights[r * kPageTokens + i];
    if (s.counts[row + r] > 0) s.sum[row + r] = s.sum[row + r] * s.keep[row + r] + sums[r];
  }
}

/// Weights of all rows from their scores, and the rows' running maxima and sums.
template <class V>
void SoftmaxRows(AttentionScratch& s, float scale) {
  constexpr int kTogether = 8;
  for (int64_t row = 0; row < s.num_rows; ++row) {
    if (s.counts[row] > 0) ExpRow<V>(s, row, scale);
  }
  int64_t row = 0;
  for (; row + kTogether <= s.num_rows; row += kTogether) SumRows<V, kTogether>(s, row);
  for (; row < s.num_rows; ++row) SumRows<V, 1>(s, row);
  for (int64_t i = 0; i < s.num_rows * kPageTokens; i += 16) {
    V::Store(s.scores + i, V::RoundToBF16(V::Load(s.scores + i)));
  }
}

/// acc = acc * keep + weights * values for R rows that see the same tokens, and C vectors of
/// dimensions. With `fetch`, asks for the values of tokens that come a little later, and in the end
/// for the keys of the next page, at `next`.
template <class V, int R, int C>
void WeighValues(const AttentionScratch& s, int64_t row, const BF16* values, int64_t head_dim,
                 int64_t first, bool fetch, const BF16* next) {
  using F = typename V::F;
  const int64_t n = head_dim - first;
  F acc[R][C];
  NEMO_UNROLL
  for (int r = 0; r < R; ++r) {
    NEMO_UNROLL
    for (int c = 0; c < C; ++c) {
      const float* from = s.acc + (row + r) * s.padded_dim + first + 16 * c;
      acc[r][c] = V::Mul(V::Load(from), V::Set(s.keep[row + r]));
    }
  }
  const float* weights = s.scores + row * kPageTokens;
  const int64_t count = s.counts[row];
  for (int64_t token = 0; token < count; ++token) {
    if (fetch) {
      const int64_t later = token + kFetchTokens;
      const BF16* from =
          later < kPageTokens ? values + later * head_dim : next + (later - kPageTokens) * head_dim;
      NEMO_UNROLL
      for (int c = 0; c < C; c += 2) __builtin_prefetch(from + first + 16 * c);
    }
    F value[C];
    NEMO_UNROLL
    for (int c = 0; c < C; ++c) {
      value[c] = V::LoadBF16(values + token * head_dim + first + 16 * c, n - 16 * c);
    }
    NEMO_UNROLL
    for (int r = 0; r < R; ++r) {
      const F weight = V::Set(weights[r * kPageTokens + token]);
      NEMO_UNROLL
      for (int c = 0; c < C; ++c) acc[r][c] = V::Fma(weight, value[c], acc[r][c]);
    }
  }
  NEMO_UNROLL
  for (int r = 0; r < R; ++r) {
    NEMO_UNROLL
    for (int c = 0; c < C; ++c) {
      V::Store(s.acc + (row + r) * s.padded_dim + first + 16 * c, acc[r][c]);
    }
  }
}

/// WeighValues over all dimensions for `rows` <= V::kRows.
template <class V, int R = V::kRows>
void WeighRows(int64_t rows, const AttentionScratch& s, int64_t row, const BF16* values,
               int64_t head_dim, bool fetch, const BF16* next) {
  if (rows == R) {
    constexpr int kColumns = 2 * R <= V::kRows ? 2 * V::kColumns : V::kColumns;
    int64_t first = 0;
    for (; first + 16 * kColumns <= head_dim; first += 16 * kColumns) {
      WeighValues<V, R, kColumns>(s, row, values, head_dim, first, fetch, next);
    }
    for (; first < head_dim; first += 16) {
      WeighValues<V, R, 1>(s, row, values, head_dim, first, fetch, next);
    }
  } else if constexpr (R > 1) {
    WeighRows<V, R - 1>(rows, s, row, values, head_dim, fetch, next);
  }
}

/// Takes in one page: the rows' counts are set, keys packed. `next`: the keys of the next page.
template <class V>
void AddPage(AttentionScratch& s, const AttentionArgs& args, const BF16* values, const BF16* next) {
  const auto* queries = static_cast<const typename V::X*>(s.queries);
  for (int64_t row = 0; row < s.num_rows; row += V::kRows) {
    const int64_t rows = s.num_rows - row < V::kRows ? s.num_rows - row : V::kRows;
    DotRows<V>(rows, s.keys, queries + row * s.num_pairs, s.num_pairs, /*clear=*/true,
               Ahead{nullptr, 0}, s.scores + row * kPageTokens);
  }
  SoftmaxRows<V>(s, args.scale);
  for (int64_t row = 0; row < s.num_rows;) {
    int64_t end = row + 1;
    while (end < s.num_rows && end - row < V::kRows && s.counts[end] == s.counts[row]) ++end;
    if (s.counts[row] > 0) {
      WeighRows<V>(end - row, s, row, values, args.head_dim, /*fetch=*/row == 0, next);
    }
    row = end;
  }
}

/// An empty weighted sum per row.
template <class V>
void Clear(const AttentionScratch& s, float* max, float* sum, float* acc) {
  for (int64_t row = 0; row < s.num_rows; ++row) {
    max[row] = -std::numeric_limits<float>::infinity();
    sum[row] = 0.0f;
  }
  for (int64_t i = 0; i < s.num_rows * s.padded_dim; i += 16) V::Store(acc + i, V::Set(0.0f));
}

/// Adds the split to the rows' totals.
template <class V>
void EndSplit(AttentionScratch& s, int64_t row) {
  const float max = s.max[row] > s.total_max[row] ? s.max[row] : s.total_max[row];
  const float keep = ExpOne<V>(s.total_max[row] - max);
  const float weight = ExpOne<V>(s.max[row] - max);
  s.total_max[row] = max;
  s.total_sum[row] = __builtin_fmaf(s.sum[row], weight, s.total_sum[row] * keep);
  float* total = s.total_acc + row * s.padded_dim;
  const float* acc = s.acc + row * s.padded_dim;
  for (int64_t i = 0; i < s.padded_dim; i += 16) {
    const auto kept = V::Mul(V::Load(total + i), V::Set(keep));
    V::Store(total + i, V::Fma(V::Load(acc + i), V::Set(weight), kept));
  }
}

/// Queries in row order (token, head of the group), in blocks of V::kRows.
template <class V>
void LoadQueries(const AttentionTask& task, AttentionScratch& s) {
  const AttentionArgs& args = *task.args;
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  const int64_t qkv_stride = (args.num_q_heads + 2 * args.num_kv_heads) * args.head_dim;
  auto* queries = static_cast<typename V::X*>(s.queries);
  for (int64_t row = 0; row < s.num_rows; ++row) {
    const int64_t block = row / V::kRows * V::kRows;
    const int64_t rows = s.num_rows - block < V::kRows ? s.num_rows - block : V::kRows;
    const int64_t head = task.kv_head * q_per_group + row % q_per_group;
    const BF16* query =
        args.qkv + (task.token_begin + row / q_per_group) * qkv_stride + head * args.head_dim;
    PackPairs(query, args.head_dim, 1, rows, queries + block * s.num_pairs + (row - block));
  }
}

template <class V>
void StoreOutputs(const AttentionTask& task, const AttentionScratch& s) {
  const AttentionArgs& args = *task.args;
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  for (int64_t row = 0; row < s.num_rows; ++row) {
    const int64_t token = task.token_begin + row / q_per_group;
    const int64_t head = task.kv_head * q_per_group + row % q_per_group;
    BF16* out = args.out + (token * args.num_q_heads + head) * args.head_dim;
    const auto sum = V::Set(s.total_sum[row]);
    for (int64_t i = 0; i < args.head_dim; i += 16) {
      V::StoreBF16(out + i, V::Div(V::Load(s.total_acc + row * s.padded_dim + i), sum),
                   args.head_dim - i);
    }
  }
}

/// Sets how many tokens of the page at `begin` each row sees.
template <class V>
void BeginPage(AttentionScratch& s, const int32_t* positions, int64_t q_per_group, int64_t begin) {
  for (int64_t row = 0; row < s.num_rows; ++row) {
    const int64_t seen = positions[row / q_per_group] + 1 - begin;
    s.counts[row] = seen < 0 ? 0 : seen > kPageTokens ? kPageTokens : seen;
  }
}

/// The keys of the task's head in a page; its values follow them.
template <class V>
const BF16* KeysOf(const AttentionTask& task, int64_t page) {
  const AttentionArgs& args = *task.args;
  return args.pages + (page * args.num_kv_heads + task.kv_head) * 2 * kPageTokens * args.head_dim;
}

template <class V>
void Attention(const AttentionTask& task) {
  const AttentionArgs& args = *task.args;
  const int64_t d = args.head_dim;
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  const int32_t* positions = args.positions + task.token_begin;
  const int32_t* table =
      args.page_table + args.sequence_of[task.token_begin] * args.page_table_stride;
  AttentionScratch s = CarveAttentionScratch(task.scratch, task.num_tokens * q_per_group, d);
  int64_t last = 0;
  for (int64_t t = 0; t < task.num_tokens; ++t) last = positions[t] > last ? positions[t] : last;
  LoadQueries<V>(task, s);
  Clear<V>(s, s.total_max, s.total_sum, s.total_acc);
  for (int64_t begin = 0; begin <= last; begin += kPageTokens) {
    if (begin % kSplitTokens == 0) Clear<V>(s, s.max, s.sum, s.acc);
    BeginPage<V>(s, positions, q_per_group, begin);
    const BF16* keys = KeysOf<V>(task, table[begin / kPageTokens]);
    const bool more = begin + kPageTokens <= last;
    const BF16* next = more ? KeysOf<V>(task, table[begin / kPageTokens + 1]) : keys;
    const int64_t seen = last + 1 - begin < kPageTokens ? last + 1 - begin : kPageTokens;
    PackPanel<V>(keys, d, d, seen, s.keys);
    AddPage<V>(s, args, keys + kPageTokens * d, next);
    const int64_t end = begin + kPageTokens;
    if (end % kSplitTokens != 0 && end <= last) continue;
    const int64_t split_begin = begin / kSplitTokens * kSplitTokens;
    for (int64_t row = 0; row < s.num_rows; ++row) {
      if (positions[row / q_per_group] >= split_begin) EndSplit<V>(s, row);
    }
  }
  StoreOutputs<V>(task, s);
}

}  // namespace nemo::cpu
