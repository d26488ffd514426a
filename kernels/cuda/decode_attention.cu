// Attention of tokens that are alone in the batch: a block has one token, one key-value head with
// its query heads, and one split of the context (or all, one after the other). Four warps share the
// 16 rows: each computes the scores of 16 keys of a page, and sums a quarter of the dimensions.
// Pages come in while the one before is computed with.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/softmax.cuh"

namespace nemo::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kWarpKeyTiles = kKeyTiles / kWarps;
constexpr int kScoreStride = static_cast<int>(kPageTokens) + 8;

template <int kHeadDim>
struct Layout {
  static constexpr int kPageElements = static_cast<int>(kPageTokens) * kRowStride<kHeadDim>;
  static constexpr int kQueryElements = kMaxGroupRows * kRowStride<kHeadDim>;
  /// Keys and values of two pages, queries, then scores as floats.
  static constexpr int64_t kElements = 4 * kPageElements + kQueryElements;
  static constexpr int64_t kBytes =
      kElements * int64_t{sizeof(BF16)} + kMaxGroupRows * kScoreStride * int64_t{sizeof(float)};
  static constexpr int kDimTiles = kHeadDim / 8 / kWarps;
};

/// What a block works on.
struct Work {
  int64_t token, kv_head, position;
  const int32_t* pages;
  int64_t first_split, end_split;
};

__device__ Work WorkOf(const FastAttentionParams& p) {
  const AttentionArgs& args = p.args;
  const int64_t splits = p.plan.splits_are_blocks ? p.plan.max_splits : 1;
  const int64_t item = blockIdx.x / splits;
  Work work;
  work.token = item / args.num_kv_heads;
  work.kv_head = item % args.num_kv_heads;
  work.position = args.positions[work.token];
  work.pages = args.page_table + args.sequence_of[work.token] * args.page_table_stride;
  const int64_t there = SplitsUpTo(work.position);
  work.first_split = p.plan.splits_are_blocks ? blockIdx.x % splits : 0;
  work.end_split = p.plan.splits_are_blocks ? work.first_split + 1 : there;
  if (work.end_split > there) work.end_split = there;  // then there is nothing to do
  return work;
}

template <int kHeadDim>
__device__ void LoadQueries(const FastAttentionParams& p, const Work& work, BF16* queries) {
  const AttentionArgs& args = p.args;
  const int64_t row_heads = args.num_q_heads + 2 * args.num_kv_heads;
  const BF16* from =
      args.qkv + (work.token * row_heads + work.kv_head * p.plan.q_per_group) * kHeadDim;
  for (int i = threadIdx.x; i < kMaxGroupRows * kHeadDim; i += kThreads) {
    const int row = i / kHeadDim, d = i % kHeadDim;
    queries[row * kRowStride<kHeadDim> + d] =
        row < p.plan.q_per_group ? from[row * kHeadDim + d] : BF16{0};
  }
}

/// Starts the copies of page `page` of the context, as one group.
template <int kHeadDim>
__device__ void LoadKeysAndValues(const FastAttentionParams& p, const Work& work, int64_t page,
                                  BF16* keys, BF16* values) {
  const BF16* from =
      p.args.pages + KeysOffset(work.pages[page], work.kv_head, p.args.num_kv_heads, kHeadDim);
  const int64_t rest = work.position + 1 - page * kPageTokens;
  const int count = static_cast<int>(rest < kPageTokens ? rest : kPageTokens);
  LoadPage<kHeadDim, kThreads>(from, count, keys);
  LoadPage<kHeadDim, kThreads>(from + kPageTokens * kHeadDim, count, values);
  CommitCopies();
}

/// The warp's share of the scores of a page goes to shared memory, and all of them come back.
template <int kHeadDim>
__device__ void ScorePage(const FastAttentionParams& p, const BF16* queries, const BF16* keys,
                          int64_t num_keys, float* shared, float (&scores)[kKeyTiles][4]) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  float part[kWarpKeyTiles][4] = {};
  AddScores<kHeadDim>(queries, keys, warp * kWarpKeyTiles, part);
#pragma unroll
  for (int j = 0; j < kWarpKeyTiles; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8;
      const int key = (warp * kWarpKeyTiles + j) * 8 + lane % 4 * 2 + i % 2;
      shared[row * kScoreStride + key] = key < num_keys ? part[j][i] * p.args.scale : kNothing;
    }
  }
  __syncthreads();
#pragma unroll
  for (int j = 0; j < kKeyTiles; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8;
      scores[j][i] = shared[row * kScoreStride + j * 8 + lane % 4 * 2 + i % 2];
    }
  }
}

/// One split: pages in order. The warp's dimensions of its 16 rows.
template <int kHeadDim, int kDimTiles>
__device__ void WalkSplit(const FastAttentionParams& p, const Work& work, int64_t split,
                          BF16* shared, RowState& state, float (&acc)[kDimTiles][4]) {
  using L = Layout<kHeadDim>;
  BF16* queries = shared + 4 * L::kPageElements;
  float* shared_scores = reinterpret_cast<float*>(shared + L::kElements);
  const int64_t first = split * kSplitPages;
  int64_t end = PagesUpTo(work.position);
  if (end > first + kSplitPages) end = first + kSplitPages;
  const int first_dim = threadIdx.x / kWarp * kDimTiles * 8;

  LoadKeysAndValues<kHeadDim>(p, work, first, shared, shared + L::kPageElements);
  for (int64_t page = first; page < end; ++page) {
    const int stage = static_cast<int>((page - first) % 2);
    BF16* keys = shared + stage * 2 * L::kPageElements;
    BF16* next = shared + (1 - stage) * 2 * L::kPageElements;
    if (page + 1 < end) {
      LoadKeysAndValues<kHeadDim>(p, work, page + 1, next, next + L::kPageElements);
    } else {
      CommitCopies();
    }
    WaitCopies<1>();
    __syncthreads();
    float scores[kKeyTiles][4], keep[2];
    ScorePage<kHeadDim>(p, queries, keys, work.position + 1 - page * kPageTokens, shared_scores,
                        scores);
    TakeScores(scores, state, keep);
    AddValues<kHeadDim>(scores, keep, keys + L::kPageElements + first_dim, acc);
    __syncthreads();  // all are done with this page and these scores
  }
  WaitCopies<0>();
}

/// acc of row r, dimension i: partials[((token * q heads + head) * max_splits + split) * (head_dim
/// + 2)], behind the maximum and the sum.
template <int kHeadDim, int kDimTiles>
__device__ void StorePartial(const FastAttentionParams& p, const Work& work, int64_t split,
                             const RowState& state, const float (&acc)[kDimTiles][4]) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = lane / 4 + r * 8;
    if (row >= p.plan.q_per_group) continue;
    const int64_t head = work.kv_head * p.plan.q_per_group + row;
    float* out =
        p.partials +
        ((work.token * p.args.num_q_heads + head) * p.plan.max_splits + split) * (kHeadDim + 2);
    if (warp == 0 && lane % 4 == 0) {
      out[0] = state.max[r];
      out[1] = state.sum[r];
    }
#pragma unroll
    for (int t = 0; t < kDimTiles; ++t) {
      const int d = (warp * kDimTiles + t) * 8 + lane % 4 * 2;
      out[2 + d] = acc[t][2 * r];
      out[2 + d + 1] = acc[t][2 * r + 1];
    }
  }
}

template <int kHeadDim, int kDimTiles>
__device__ void StoreOutput(const FastAttentionParams& p, const Work& work, const RowState& total,
                            const float (&acc)[kDimTiles][4]) {
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = lane / 4 + r * 8;
    if (row >= p.plan.q_per_group) continue;
    const int64_t head = work.kv_head * p.plan.q_per_group + row;
    BF16* out = p.args.out + (work.token * p.args.num_q_heads + head) * kHeadDim;
#pragma unroll
    for (int t = 0; t < kDimTiles; ++t) {
      const int d = (warp * kDimTiles + t) * 8 + lane % 4 * 2;
      out[d] = BF16FromFloat(__fdiv_rn(acc[t][2 * r], total.sum[r]));
      out[d + 1] = BF16FromFloat(__fdiv_rn(acc[t][2 * r + 1], total.sum[r]));
    }
  }
}

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads) DecodeKernel(FastAttentionParams p) {
  NEMO_DYNAMIC_SHARED(BF16, shared);
  using L = Layout<kHeadDim>;
  const Work work = WorkOf(p);
  if (work.first_split >= work.end_split) return;
  if (!IsAlone(p.args.sequence_of, p.args.num_tokens, work.token)) return;
  LoadQueries<kHeadDim>(p, work, shared + 4 * L::kPageElements);
  RowState total;
  float total_acc[L::kDimTiles][4] = {};
  for (int64_t split = work.first_split; split < work.end_split; ++split) {
    RowState state;
    float acc[L::kDimTiles][4] = {};
    WalkSplit<kHeadDim>(p, work, split, shared, state, acc);
    if (p.plan.splits_are_blocks) {
      StorePartial<kHeadDim>(p, work, split, state, acc);
      continue;
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const MergeFactors factors = FactorsOf(total.max[r], state.max[r]);
      total.max[r] = factors.max;
      total.sum[r] = Merge(total.sum[r], state.sum[r], factors);
#pragma unroll
      for (int t = 0; t < L::kDimTiles; ++t) {
        total_acc[t][2 * r] = Merge(total_acc[t][2 * r], acc[t][2 * r], factors);
        total_acc[t][2 * r + 1] = Merge(total_acc[t][2 * r + 1], acc[t][2 * r + 1], factors);
      }
    }
  }
  if (!p.plan.splits_are_blocks) StoreOutput<kHeadDim>(p, work, total, total_acc);
}

/// A block per token and query head, a thread per dimension: adds the splits in order.
template <int kHeadDim>
__global__ void MergeKernel(FastAttentionParams p) {
  const int64_t token = blockIdx.x / p.args.num_q_heads;
  if (!IsAlone(p.args.sequence_of, p.args.num_tokens, token)) return;
  const int64_t splits = SplitsUpTo(p.args.positions[token]);
  const float* from = p.partials + int64_t{blockIdx.x} * p.plan.max_splits * (kHeadDim + 2);
  float max = kNothing, sum = 0.0f, acc = 0.0f;
  for (int64_t split = 0; split < splits; ++split, from += kHeadDim + 2) {
    const MergeFactors factors = FactorsOf(max, from[0]);
    max = factors.max;
    sum = Merge(sum, from[1], factors);
    acc = Merge(acc, from[2 + threadIdx.x], factors);
  }
  p.args.out[int64_t{blockIdx.x} * kHeadDim + threadIdx.x] = BF16FromFloat(__fdiv_rn(acc, sum));
}

template <int kHeadDim>
cudaError_t LaunchDim(const FastAttentionParams& p, cudaStream_t stream) {
  const int64_t splits = p.plan.splits_are_blocks ? p.plan.max_splits : 1;
  const cudaError_t error =
      Launch(DecodeKernel<kHeadDim>, p, p.args.num_tokens * p.args.num_kv_heads * splits, kThreads,
             Layout<kHeadDim>::kBytes, stream);
  if (error != cudaSuccess || !p.plan.splits_are_blocks) return error;
  return Launch(MergeKernel<kHeadDim>, p, p.args.num_tokens * p.args.num_q_heads, kHeadDim, 0,
                stream);
}

}  // namespace

cudaError_t LaunchDecodeAttention(const FastAttentionParams& params, cudaStream_t stream) {
  return params.args.head_dim == 128 ? LaunchDim<128>(params, stream)
                                     : LaunchDim<192>(params, stream);
}

}  // namespace nemo::cuda
