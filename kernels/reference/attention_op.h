// Causal attention over the pages of the KV cache.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// Of each token of a page.
struct PageRow {
  float token[kPageTokens];
};

/// A softmax-weighted sum under way: sum of exp(score - max) * value and of exp(score - max).
struct Partial {
  explicit Partial(int64_t head_dim) : acc(head_dim, 0.0f) {}
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
  std::vector<float> acc;
};

/// [head_dim][kPageTokens]: the keys of a page by dimension. A query's dots then stand in a row,
/// and the compiler can work on several at a time. Tokens that are not there yet come along.
template <typename T>
void Transpose(const T* keys, std::vector<PageRow>& out) {
  const auto head_dim = std::ssize(out);
  for (int64_t dim = 0; dim < head_dim; ++dim) {
    for (int64_t t = 0; t < kPageTokens; ++t) out[dim].token[t] = ToFloat(keys[t * head_dim + dim]);
  }
}

void AddProduct(const PageRow& keys, float query, PageRow& dots) {
  for (int64_t t = 0; t < kPageTokens; ++t) {
    dots.token[t] = std::fma(keys.token[t], query, dots.token[t]);
  }
}

/// As a leaf of LinearArgs: pairs in order, the odd element first.
template <typename T>
PageRow Dots(const std::vector<PageRow>& keys, const T* query) {
  constexpr PageRow kZeros = {};
  const auto head_dim = std::ssize(keys);
  PageRow dots = {};
  for (int64_t even = 0; even < head_dim; even += 2) {
    const bool has_odd = even + 1 < head_dim;
    AddProduct(has_odd ? keys[even + 1] : kZeros, has_odd ? ToFloat(query[even + 1]) : 0.0f, dots);
    AddProduct(keys[even], ToFloat(query[even]), dots);
  }
  return dots;
}

/// acc[dim] * keep + p * values, token by token, for kCount dimensions from `dim` on.
template <int64_t kCount, typename T>
void AddValues(const PageRow& p, const T* values, int64_t count, float keep, int64_t dim,
               Partial& part) {
  const auto head_dim = std::ssize(part.acc);
  float acc[kCount];
  for (int64_t i = 0; i < kCount; ++i) acc[i] = part.acc[dim + i] * keep;
  for (int64_t t = 0; t < count; ++t) {
    const T* value = values + t * head_dim + dim;
    const float weight = Rounded<T>(p.token[t]);
    for (int64_t i = 0; i < kCount; ++i) acc[i] = std::fma(weight, ToFloat(value[i]), acc[i]);
  }
  for (int64_t i = 0; i < kCount; ++i) part.acc[dim + i] = acc[i];
}

/// Takes in `count` tokens of one page.
template <typename T>
void AddPage(PageRow p, float scale, const T* values, int64_t count, Partial& part) {
  for (float& score : p.token) score *= scale;
  float max = part.max;
  for (int64_t t = 0; t < count; ++t) max = p.token[t] > max ? p.token[t] : max;
  const float keep = ExpF32(part.max - max);
  for (float& score : p.token) score = ExpF32(score - max);
  float page_sum = 0.0f;
  for (int64_t t = 0; t < count; ++t) page_sum += p.token[t];
  part.max = max;
  part.sum = part.sum * keep + page_sum;
  constexpr int64_t kDims = 8;  // as many side by side as there are
  int64_t dim = 0;
  for (; dim + kDims <= std::ssize(part.acc); dim += kDims) {
    AddValues<kDims>(p, values, count, keep, dim, part);
  }
  for (; dim < std::ssize(part.acc); ++dim) AddValues<1>(p, values, count, keep, dim, part);
}

void AddSplit(const Partial& split, Partial& total) {
  const float max = split.max > total.max ? split.max : total.max;
  const float keep = ExpF32(total.max - max);
  const float weight = ExpF32(split.max - max);
  total.max = max;
  total.sum = std::fma(split.sum, weight, total.sum * keep);
  for (size_t i = 0; i < total.acc.size(); ++i) {
    total.acc[i] = std::fma(split.acc[i], weight, total.acc[i] * keep);
  }
}

/// Attention of `num_queries` heads that share a key and value head, over positions 0 ...
/// `position`.
template <typename T>
std::vector<Partial> Attend(const BasicAttentionArgs<T>& args, const T* queries,
                            int64_t num_queries, int64_t kv_head, const int32_t* table,
                            int64_t position) {
  std::vector<PageRow> keys(args.head_dim);
  std::vector<Partial> totals(num_queries, Partial(args.head_dim));
  for (int64_t split_begin = 0; split_begin <= position; split_begin += kSplitTokens) {
    const int64_t split_end = std::min(split_begin + kSplitTokens, position + 1);
    std::vector<Partial> splits(num_queries, Partial(args.head_dim));
    for (int64_t begin = split_begin; begin < split_end; begin += kPageTokens) {
      const int64_t page = table[begin / kPageTokens];
      const T* plane =
          args.pages + (page * args.num_kv_heads + kv_head) * 2 * kPageTokens * args.head_dim;
      Transpose(plane, keys);
      for (int64_t i = 0; i < num_queries; ++i) {
        AddPage(Dots(keys, queries + i * args.head_dim), args.scale,
                plane + kPageTokens * args.head_dim, std::min(kPageTokens, split_end - begin),
                splits[i]);
      }
    }
    for (int64_t i = 0; i < num_queries; ++i) AddSplit(splits[i], totals[i]);
  }
  return totals;
}

template <typename T>
Status Attention(Backend&, const BasicAttentionArgs<T>& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  const int64_t qkv_stride = (args.num_q_heads + 2 * args.num_kv_heads) * args.head_dim;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
    T* out = args.out + token * args.num_q_heads * args.head_dim;
    for (int64_t kv_head = 0; kv_head < args.num_kv_heads; ++kv_head) {
      const T* queries = args.qkv + token * qkv_stride + kv_head * q_per_group * args.head_dim;
      for (const Partial& part :
           Attend(args, queries, q_per_group, kv_head, table, args.positions[token])) {
        for (const float acc : part.acc) *out++ = RoundTo<T>(acc / part.sum);
      }
    }
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
