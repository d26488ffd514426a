#include <algorithm>

#include "kernels/cpu/cpu_backend.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

// Rows (token x query head of a group) that share one pass over the keys: enough to pay for turning
// a page into a panel, few enough for the second-level cache.
constexpr int64_t kTaskRows = 48;

struct TokenBlock {
  int64_t begin, size;
};

/// Cuts the batch in runs of up to `max_tokens` tokens of one sequence. Returns how many.
int64_t CutTokens(const AttentionArgs& args, int64_t max_tokens, TokenBlock* blocks) {
  int64_t count = 0;
  for (int64_t token = 0; token < args.num_tokens; ++token) {
    TokenBlock* last = count > 0 ? &blocks[count - 1] : nullptr;
    if (last != nullptr && last->size < max_tokens &&
        args.sequence_of[token] == args.sequence_of[last->begin]) {
      ++last->size;
    } else {
      blocks[count++] = {token, 1};
    }
  }
  return count;
}

}  // namespace

Status Attention(Backend& backend, const AttentionArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  CpuBackend& self = Self(backend);
  const int64_t q_per_group = args.num_q_heads / args.num_kv_heads;
  const int64_t max_tokens = std::max<int64_t>(1, kTaskRows / q_per_group);
  NEMO_ASSIGN_OR_RETURN(
      std::byte * shared,
      self.SharedScratch(args.num_tokens * static_cast<int64_t>(sizeof(TokenBlock))));
  NEMO_ASSIGN_OR_RETURN(const auto scratch,
                        self.ThreadScratch(AttentionScratchBytes(
                            std::min(max_tokens, args.num_tokens) * q_per_group, args.head_dim)));
  auto* blocks = reinterpret_cast<TokenBlock*>(shared);
  const int64_t num_blocks = CutTokens(args, max_tokens, blocks);
  self.pool().ForEach(num_blocks * args.num_kv_heads, [&](int64_t index, int thread) {
    const TokenBlock& block = blocks[index / args.num_kv_heads];
    self.kernels().attention({
        .args = &args,
        .token_begin = block.begin,
        .num_tokens = block.size,
        .kv_head = index % args.num_kv_heads,
        .scratch = scratch[thread],
    });
  });
  return OkStatus();
}

}  // namespace nemo::cpu
