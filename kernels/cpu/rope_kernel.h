// Rotation and KV append of one token, over a vector type V of 16 floats (see isa.h).
#pragma once

#include <cstring>

#include "kernels/cpu/isa.h"

namespace nemo::cpu {

/// out = head rotated; `out` may be `head`, since each pair is read before it is written.
template <class V>
void RotateHead(const RopeAppendArgs& args, const BF16* head, const BF16* cos, const BF16* sin,
                BF16* out) {
  const int64_t half = args.rotary_dim / 2;
  for (int64_t i = 0; i < half; i += 16) {
    const int64_t n = half - i;
    const auto a = V::LoadBF16(head + i, n);
    const auto b = V::LoadBF16(head + half + i, n);
    const auto c = V::LoadBF16(cos + i, n);
    const auto s = V::LoadBF16(sin + i, n);
    V::StoreBF16(out + i, V::Sub(V::RoundToBF16(V::Mul(a, c)), V::RoundToBF16(V::Mul(b, s))), n);
    V::StoreBF16(out + half + i, V::Add(V::RoundToBF16(V::Mul(b, c)), V::RoundToBF16(V::Mul(a, s))),
                 n);
  }
  if (out != head) {
    std::memcpy(out + args.rotary_dim, head + args.rotary_dim,
                (args.head_dim - args.rotary_dim) * sizeof(BF16));
  }
}

template <class V>
void RopeAppendToken(const RopeAppendArgs& args, int64_t token) {
  const int64_t d = args.head_dim;
  const int64_t position = args.positions[token];
  const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
  const int64_t page = table[position / kPageTokens];
  const int64_t slot = position % kPageTokens;
  const BF16* cos = args.cos + position * (args.rotary_dim / 2);
  const BF16* sin = args.sin + position * (args.rotary_dim / 2);
  BF16* q = args.qkv + token * (args.num_q_heads + 2 * args.num_kv_heads) * d;
  const BF16* k = q + args.num_q_heads * d;
  const BF16* v = k + args.num_kv_heads * d;
  for (int64_t head = 0; head < args.num_q_heads; ++head) {
    RotateHead<V>(args, q + head * d, cos, sin, q + head * d);
  }
  for (int64_t head = 0; head < args.num_kv_heads; ++head) {
    BF16* keys = args.pages + (page * args.num_kv_heads + head) * 2 * kPageTokens * d;
    BF16* values = keys + kPageTokens * d;
    RotateHead<V>(args, k + head * d, cos, sin, keys + slot * d);
    std::memcpy(values + slot * d, v + head * d, d * sizeof(BF16));
  }
}

}  // namespace nemo::cpu
