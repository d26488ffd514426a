// Rows of a table.
// The text of an operation, for the two tables that are made of it (op_tables.h).
#pragma once

#include <algorithm>
#include <bit>

#include "kernels/reference/ops.h"

namespace nemo::reference {
namespace {

/// A denormal becomes the zero of its sign, as any sum over shards would make of it.
float Flushed(float value) {
  constexpr uint32_t kExponent = 0x7f800000u, kSign = 0x80000000u;
  const auto bits = std::bit_cast<uint32_t>(value);
  return (bits & kExponent) == 0 ? std::bit_cast<float>(bits & kSign) : value;
}

template <typename T>
void CopyRow(const T* from, int64_t size, float* out) {
  for (int64_t i = 0; i < size; ++i) out[i] = Flushed(ToFloat(from[i]));
}

template <typename T>
Status Embed(Backend&, const BasicEmbedArgs<T>& args) {
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int64_t row = args.token_ids[token] - args.vocab_begin;
    const bool is_here = row >= 0 && row < args.num_rows;
    float* out = args.out + token * args.hidden;
    if (!is_here) {
      std::fill_n(out, args.hidden, -0.0f);
    } else if (args.packed != nullptr) {
      CopyRow(static_cast<const Weight*>(args.packed)->row(row), args.hidden, out);
    } else {
      CopyRow(args.table + row * args.hidden, args.hidden, out);
    }
  }
  return OkStatus();
}

}  // namespace
}  // namespace nemo::reference
