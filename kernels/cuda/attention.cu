// Causal attention over KV pages. A block per token and query head walks the pages in order; a
// thread has one token of the page while scores are computed, and some dimensions while values are
// summed.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "libcore/runtime/math.h"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kSliceDims = 64;  // dimensions of the keys that lie in shared memory at once
constexpr int kNumVectors = 3;  // of head_dim floats in dynamic shared memory
static_assert(kThreads >= kPageTokens);

struct Shared {
  BF16 keys[kPageTokens]
           [kSliceDims + 2];  // two more: neighbouring rows begin in neighbouring banks
  float scores[kPageTokens];
  float weights[kPageTokens];
  float rounded_weights[kPageTokens];
};

/// A softmax-weighted sum under way: all threads know `max` and `sum`; acc[i] belongs to thread i %
/// kThreads.
struct Partial {
  float max, sum;
  float* acc;
};

__device__ Partial EmptyPartial(int64_t head_dim, float* acc) {
  for (int64_t i = threadIdx.x; i < head_dim; i += kThreads) acc[i] = 0.0f;
  return {-std::numeric_limits<float>::infinity(), 0.0f, acc};
}

/// scores[t] = scaled product of the query and key t of the page, t < count.
__device__ void Scores(const AttentionArgs& args, const BF16* keys, const float* query, int count,
                       Shared& shared) {
  float dot = 0.0f;
  for (int64_t begin = 0; begin < args.head_dim; begin += kSliceDims) {
    const int64_t rest = args.head_dim - begin;
    const int width = rest < kSliceDims ? static_cast<int>(rest) : kSliceDims;
    __syncthreads();  // all threads are done with the last slice and the last page
    for (int i = threadIdx.x; i < count * width; i += kThreads) {
      const int t = i / width, d = i % width;
      shared.keys[t][d] = keys[t * args.head_dim + begin + d];
    }
    __syncthreads();
    if (threadIdx.x < count) dot = AddPairs(shared.keys[threadIdx.x], query + begin, width, dot);
  }
  if (threadIdx.x < count) shared.scores[threadIdx.x] = dot * args.scale;
  __syncthreads();
}

/// Takes in the first `count` tokens of one page.
__device__ void AddPage(const AttentionArgs& args, const BF16* keys, const float* query, int count,
                        Shared& shared, Partial& part) {
  Scores(args, keys, query, count, shared);
  float max = part.max;
  for (int t = 0; t < count; ++t) {
    if (shared.scores[t] > max) max = shared.scores[t];
  }
  if (threadIdx.x < count) {
    const float p = ExpF32(shared.scores[threadIdx.x] - max);
    shared.weights[threadIdx.x] = p;
    shared.rounded_weights[threadIdx.x] = RoundToBF16(p);
  }
  __syncthreads();
  const float keep = ExpF32(part.max - max);
  float page_sum = 0.0f;
  for (int t = 0; t < count; ++t) page_sum += shared.weights[t];
  part.max = max;
  part.sum = part.sum * keep + page_sum;
  const BF16* values = keys + kPageTokens * args.head_dim;
  for (int64_t i = threadIdx.x; i < args.head_dim; i += kThreads) {
    float acc = part.acc[i] * keep;
    for (int t = 0; t < count; ++t) {
      acc = __fmaf_rn(shared.rounded_weights[t], FloatFromBF16(values[t * args.head_dim + i]), acc);
    }
    part.acc[i] = acc;
  }
}

__device__ void AddSplit(const Partial& split, int64_t head_dim, Partial& total) {
  const float max = split.max > total.max ? split.max : total.max;
  const float keep = ExpF32(total.max - max);
  const float weight = ExpF32(split.max - max);
  total.max = max;
  total.sum = __fmaf_rn(split.sum, weight, total.sum * keep);
  for (int64_t i = threadIdx.x; i < head_dim; i += kThreads) {
    total.acc[i] = __fmaf_rn(split.acc[i], weight, total.acc[i] * keep);
  }
}

/// Dynamic shared memory: the query, the split under way, the splits before it, [kNumVectors,
/// head_dim].
__global__ void AttentionKernel(AttentionArgs args) {
  __shared__ Shared shared;
  NEMO_DYNAMIC_SHARED(float, vectors);
  const int64_t token = blockIdx.x / args.num_q_heads;
  const int64_t head = blockIdx.x % args.num_q_heads;
  const int64_t kv_head = head / (args.num_q_heads / args.num_kv_heads);
  const int64_t num_keys = int64_t{args.positions[token]} + 1;
  const int32_t* table = args.page_table + args.sequence_of[token] * args.page_table_stride;
  const int64_t row = args.num_q_heads + 2 * args.num_kv_heads;
  const BF16* query = args.qkv + (token * row + head) * args.head_dim;
  for (int64_t i = threadIdx.x; i < args.head_dim; i += kThreads)
    vectors[i] = FloatFromBF16(query[i]);

  Partial total = EmptyPartial(args.head_dim, vectors + 2 * args.head_dim);
  for (int64_t split_begin = 0; split_begin < num_keys; split_begin += kSplitTokens) {
    const int64_t split_end =
        split_begin + kSplitTokens < num_keys ? split_begin + kSplitTokens : num_keys;
    Partial split = EmptyPartial(args.head_dim, vectors + args.head_dim);
    for (int64_t begin = split_begin; begin < split_end; begin += kPageTokens) {
      const int64_t page = table[begin / kPageTokens];
      const BF16* keys =
          args.pages + (page * args.num_kv_heads + kv_head) * 2 * kPageTokens * args.head_dim;
      const int64_t rest = split_end - begin;
      AddPage(args, keys, vectors, static_cast<int>(rest < kPageTokens ? rest : kPageTokens),
              shared, split);
    }
    AddSplit(split, args.head_dim, total);
  }
  BF16* out = args.out + (token * args.num_q_heads + head) * args.head_dim;
  for (int64_t i = threadIdx.x; i < args.head_dim; i += kThreads) {
    out[i] = BF16FromFloat(__fdiv_rn(total.acc[i], total.sum));
  }
}

}  // namespace

cudaError_t LaunchAttention(const AttentionArgs& args, cudaStream_t stream) {
  const int64_t shared_bytes = kNumVectors * args.head_dim * int64_t{sizeof(float)};
  return Launch(AttentionKernel, args, args.num_tokens * args.num_q_heads, kThreads, shared_bytes,
                stream);
}

}  // namespace nemo::cuda
