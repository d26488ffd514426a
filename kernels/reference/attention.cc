#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// A softmax-weighted sum under way: sum of exp(score - max) * value and of exp(score - max).
struct Partial {
  explicit Partial(int64_t head_dim) : acc(head_dim, 0.0f) {}
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
  std::vector<float> acc;
};

/// Takes in `count` tokens of one page.
void AddPage(const AttentionArgs& args, const BF16* query, const BF16* keys, const BF16* values,
             int64_t count, Partial& part) {
  std::array<float, kPageTokens> p{};
  float max = part.max;
  for (int64_t t = 0; t < count; ++t) {
    p[t] = LeafDot(keys + t * args.head_dim, query, args.head_dim) * args.scale;
    if (p[t] > max) max = p[t];
  }
  const float keep = ExpF32(part.max - max);
  float page_sum = 0.0f;
  for (int64_t t = 0; t < count; ++t) {
    p[t] = ExpF32(p[t] - max);
    page_sum += p[t];
  }
  part.max = max;
  part.sum = part.sum * keep + page_sum;
  for (int64_t i = 0; i < args.head_dim; ++i) {
    float acc = part.acc[i] * keep;
    for (int64_t t = 0; t < count; ++t) {
      acc = std::fma(RoundToBF16(p[t]), FloatFromBF16(values[t * args.head_dim + i]), acc);
    }
    part.acc[i] = acc;
  }
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

/// Attention of one query head over positions 0 ... `position`.
Partial Attend(const AttentionArgs& args, const BF16* query, int64_t kv_head, const int32_t* table,
               int64_t position) {
  Partial total(args.head_dim);
  for (int64_t split_begin = 0; split_begin <= position; split_begin += kSplitTokens) {
    const int64_t split_end = std::min(split_begin + kSplitTokens, position + 1);
    Partial split(args.head_dim);
    for (int64_t begin = split_begin; begin < split_end; begin += kPageTokens) {
      const int64_t page = table[begin / kPageTokens];
      const BF16* keys =
          args.pages + (page * args.num_kv_heads + kv_head) * 2 * kPageTokens * args.head_dim;
      const BF16* values = keys + kPageTokens * args.head_dim;
      AddPage(args, query, keys, values, std::min(kPageTokens, split_end - begin), split);
    }
    AddSplit(split, total);
  }
  return total;
}

}  // namespace

Status Attention(Backend&, const AttentionArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  const int64_t qkv_stride = (args.num_q_heads + 2 * args.num_kv_heads) * args.head_dim;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
    for (int64_t head = 0; head < args.num_q_heads; ++head) {
      const BF16* query = args.qkv + token * qkv_stride + head * args.head_dim;
      const Partial part = Attend(args, query, head / q_per_group, table, args.positions[token]);
      BF16* out = args.out + (token * args.num_q_heads + head) * args.head_dim;
      for (int64_t i = 0; i < args.head_dim; ++i) out[i] = BF16FromFloat(part.acc[i] / part.sum);
    }
  }
  return OkStatus();
}

}  // namespace nemo::reference
