#include <algorithm>

#include "kernels/cpu/cpu_backend.h"

namespace nemo::cpu {

Status Embed(Backend& backend, const EmbedArgs& args) {
  Self(backend).pool().ForEach(args.num_tokens, [&](int64_t token, int) {
    const int64_t index = args.token_ids[token] - args.vocab_begin;
    float* out = args.out + token * args.hidden;
    if (index < 0 || index >= args.num_rows) {
      std::fill_n(out, args.hidden, -0.0f);
      return;
    }
    const BF16* row = args.table + index * args.hidden;
    for (int64_t i = 0; i < args.hidden; ++i) {
      // A denormal becomes the zero of its sign, as any sum over shards would make of it.
      const bool is_normal = (row[i] & 0x7f80u) != 0;
      out[i] = FloatFromBF16(is_normal ? row[i] : static_cast<BF16>(row[i] & 0x8000u));
    }
  });
  return OkStatus();
}

}  // namespace nemo::cpu
