// Rotates queries and keys and appends keys and values to their pages. A block per token and head
// of its row.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 64;

/// out = head with its first `rotary_dim` dimensions rotated. `out` may be `head`: one thread reads
/// and writes both elements of a pair.
__device__ void Rotate(const RopeAppendArgs& args, const BF16* head, int64_t position, BF16* out) {
  const int64_t half = args.rotary_dim / 2;
  for (int64_t i = threadIdx.x; i < half; i += kThreads) {
    const float a = FloatFromBF16(head[i]);
    const float b = FloatFromBF16(head[i + half]);
    const float c = FloatFromBF16(args.cos[position * half + i]);
    const float s = FloatFromBF16(args.sin[position * half + i]);
    out[i] = BF16FromFloat(RoundToBF16(a * c) - RoundToBF16(b * s));
    out[i + half] = BF16FromFloat(RoundToBF16(b * c) + RoundToBF16(a * s));
  }
  for (int64_t i = args.rotary_dim + threadIdx.x; i < args.head_dim; i += kThreads)
    out[i] = head[i];
}

__global__ void RopeAppendKernel(RopeAppendArgs args) {
  const int64_t num_heads = args.num_q_heads + 2 * args.num_kv_heads;
  const int64_t token = blockIdx.x / num_heads;
  const int64_t head = blockIdx.x % num_heads;
  const int64_t position = args.positions[token];
  BF16* from = args.qkv + (token * num_heads + head) * args.head_dim;
  if (head < args.num_q_heads) {
    Rotate(args, from, position, from);
    return;
  }
  const bool is_value = head >= args.num_q_heads + args.num_kv_heads;
  const int64_t kv_head = (head - args.num_q_heads) % args.num_kv_heads;
  const int64_t page =
      args.page_table[args.sequence_of[token] * args.page_table_stride + position / kPageTokens];
  const int64_t plane = (page * args.num_kv_heads + kv_head) * 2 + (is_value ? 1 : 0);
  BF16* to = args.pages + (plane * kPageTokens + position % kPageTokens) * args.head_dim;
  if (is_value) {
    for (int64_t i = threadIdx.x; i < args.head_dim; i += kThreads) to[i] = from[i];
  } else {
    Rotate(args, from, position, to);
  }
}

}  // namespace

cudaError_t LaunchRopeAppend(const RopeAppendArgs& args, cudaStream_t stream) {
  const int64_t num_heads = args.num_q_heads + 2 * args.num_kv_heads;
  return Launch(RopeAppendKernel, args, args.num_tokens * num_heads, kThreads, 0, stream);
}

}  // namespace nemo::cuda
