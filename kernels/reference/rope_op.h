// Rotary positions, and the way into the KV cache.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <algorithm>

#include "kernels/reference/ops.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::reference {
namespace {

/// out = head with its first `rotary_dim` dimensions rotated. `out` may be `head`.
template <typename T>
void Rotate(const T* head, int64_t head_dim, int64_t rotary_dim, const T* cos, const T* sin,
            T* out) {
  const int64_t half = rotary_dim / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float a = ToFloat(head[i]);
    const float b = ToFloat(head[i + half]);
    const float c = ToFloat(cos[i]);
    const float s = ToFloat(sin[i]);
    out[i] = RoundTo<T>(Rounded<T>(a * c) - Rounded<T>(b * s));
    out[i + half] = RoundTo<T>(Rounded<T>(b * c) + Rounded<T>(a * s));
  }
  std::copy(head + rotary_dim, head + head_dim, out + rotary_dim);
}

template <typename T>
Status RopeAppend(Backend&, const BasicRopeAppendArgs<T>& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= args.head_dim);
  const int64_t d = args.head_dim;
  const int64_t half = args.rotary_dim / 2;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int64_t position = args.positions[token];
    const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
    const int64_t page = table[position / kPageTokens];
    const int64_t slot = position % kPageTokens;
    const T* cos = args.cos + position * half;
    const T* sin = args.sin + position * half;
    T* q = args.qkv + token * (args.num_q_heads + 2 * args.num_kv_heads) * d;
    const T* k = q + args.num_q_heads * d;
    const T* v = k + args.num_kv_heads * d;
    for (int64_t head = 0; head < args.num_q_heads; ++head) {
      Rotate(q + head * d, d, args.rotary_dim, cos, sin, q + head * d);
    }
    for (int64_t head = 0; head < args.num_kv_heads; ++head) {
      T* keys = args.pages + (page * args.num_kv_heads + head) * 2 * kPageTokens * d;
      T* values = keys + kPageTokens * d;
      Rotate(k + head * d, d, args.rotary_dim, cos, sin, keys + slot * d);
      std::copy(v + head * d, v + (head + 1) * d, values + slot * d);
    }
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
