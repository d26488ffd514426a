#include <algorithm>

#include "kernels/cpu/cpu_backend.h"

namespace nemo::cpu {
namespace {

/// A row of the table, plain or packed: element i is pairs[i / 2 * stride + i % 2].
struct Row {
  const BF16* pairs;
  int64_t stride;
};

Row RowOf(const EmbedArgs& args, int64_t index) {
  if (args.packed == nullptr) return {args.table + index * args.hidden, 2};
  const BF16* panel = static_cast<const PanelWeight*>(args.packed)->panel(index / kPanelColumns);
  return {panel + index % kPanelColumns * 2, 2 * kPanelColumns};
}

}  // namespace

Status Embed(Backend& backend, const EmbedArgs& args) {
  Self(backend).pool().ForEach(args.num_tokens, [&](int64_t token, int) {
    const int64_t index = args.token_ids[token] - args.vocab_begin;
    float* out = args.out + token * args.hidden;
    if (index < 0 || index >= args.num_rows) {
      std::fill_n(out, args.hidden, -0.0f);
      return;
    }
    const Row row = RowOf(args, index);
    for (int64_t i = 0; i < args.hidden; ++i) {
      // A denormal becomes the zero of its sign, as any sum over shards would make of it.
      const BF16 value = row.pairs[i / 2 * row.stride + i % 2];
      const bool is_normal = (value & 0x7f80u) != 0;
      out[i] = FloatFromBF16(is_normal ? value : static_cast<BF16>(value & 0x8000u));
    }
  });
  return OkStatus();
}

}  // namespace nemo::cpu
