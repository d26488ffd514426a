#include <bit>

#include "kernels/reference/ops.h"

namespace nemo::reference {
namespace {

/// A denormal becomes the zero of its sign, as any sum over shards would make of it.
float FlushedFloat(BF16 value) {
  const bool is_denormal = (value & 0x7f80u) == 0;
  return FloatFromBF16(is_denormal ? static_cast<BF16>(value & 0x8000u) : value);
}

}  // namespace

Status Embed(Backend&, const EmbedArgs& args) {
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    const int64_t row = args.token_ids[token] - args.vocab_begin;
    const bool is_here = row >= 0 && row < args.num_rows;
    float* out = args.out + token * args.hidden;
    const BF16* from = nullptr;
    if (is_here) {
      from = args.packed != nullptr ? static_cast<const Weight*>(args.packed)->row(row)
                                    : args.table + row * args.hidden;
    }
    for (int64_t i = 0; i < args.hidden; ++i) {
      out[i] = is_here ? FlushedFloat(from[i]) : -0.0f;
    }
  }
  return OkStatus();
}

}  // namespace nemo::reference
