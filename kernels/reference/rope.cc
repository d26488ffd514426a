#include <algorithm>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// out = head with its first `rotary_dim` dimensions rotated. `out` may be `head`.
void Rotate(const BF16* head, int64_t head_dim, int64_t rotary_dim, const BF16* cos,
            const BF16* sin, BF16* out) {
  const int64_t half = rotary_dim / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = FloatFromBF16(head[i]);
    const float b = FloatFromBF16(head[i + half]);
    const float c = FloatFromBF16(cos[i]);
    const float s = FloatFromBF16(sin[i]);
    out[i] = BF16FromFloat(RoundToBF16(a * c) - RoundToBF16(b * s));
    out[i + half] = BF16FromFloat(RoundToBF16(b * c) + RoundToBF16(a * s));
  }
  std::copy(head + rotary_dim, head + head_dim, out + rotary_dim);
}

}  // namespace

Status RopeAppend(Backend&, const RopeAppendArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= args.head_dim);
  const int64_t d = args.head_dim;
  const int64_t half = args.rotary_dim / 2;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int64_t position = args.positions[token];
    const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
    const int64_t page = table[position / kPageTokens];
    const int64_t slot = position % kPageTokens;
    const BF16* cos = args.cos + position * half;
    const BF16* sin = args.sin + position * half;
    BF16* q = args.qkv + token * (args.num_q_heads + 2 * args.num_kv_heads) * d;
    const BF16* k = q + args.num_q_heads * d;
    const BF16* v = k + args.num_kv_heads * d;
    for (int64_t head = 0; head < args.num_q_heads; ++head) {
      Rotate(q + head * d, d, args.rotary_dim, cos, sin, q + head * d);
    }
    for (int64_t head = 0; head < args.num_kv_heads; ++head) {
      BF16* keys = args.pages + (page * args.num_kv_heads + head) * 2 * kPageTokens * d;
      BF16* values = keys + kPageTokens * d;
      Rotate(k + head * d, d, args.rotary_dim, cos, sin, keys + slot * d);
      std::copy(v + head * d, v + (head + 1) * d, values + slot * d);
    }
  }
  return OkStatus();
}

}  // namespace nemo::reference
