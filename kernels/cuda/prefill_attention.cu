// Attention of tokens that have neighbours of their sequence in the batch: a block has the query
// heads of one key-value head of some tokens, 64 rows, 16 for each of its four warps, and walks the
// pages that they see. A token's rows see the keys up to its position. Keys of the next page come
// in while probabilities and values are multiplied, values while scores are computed.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/softmax.cuh"

namespace nemo::cuda {
namespace {

constexpr int kWarps = kTileRows / 16;
constexpr int kThreads = kWarps * kWarp;

template <int kHeadDim>
struct Layout {
  static constexpr int kPageElements = static_cast<int>(kPageTokens) * kRowStride<kHeadDim>;
  static constexpr int kQueryElements = kTileRows * kRowStride<kHeadDim>;
  static constexpr int kDimTiles = kHeadDim / 8;
  /// Queries, keys, values, then the sums of the splits so far, [warp][tile][4][lane] floats.
  static constexpr int64_t kElements = kQueryElements + 2 * kPageElements;
  static constexpr int64_t kBytes =
      kElements * int64_t{sizeof(BF16)} + kTileRows * kHeadDim * int64_t{sizeof(float)};
};

/// Tokens [begin, end) of one sequence, and what they see.
struct Run {
  int64_t begin, end, kv_head, last_position;
  const int32_t* pages;
};

/// Row `row` of the block's 64: the token of the batch, and its query head in the group.
struct Row {
  int64_t token;
  int head;
};
__device__ Row RowOf(const FastAttentionParams& p, int64_t tile_begin, int row) {
  return {tile_begin + row / p.plan.q_per_group, row % p.plan.q_per_group};
}
__device__ bool IsOfRun(const FastAttentionParams& p, const Run& run, int64_t tile_begin, int row) {
  const int64_t token = tile_begin + row / p.plan.q_per_group;
  return row < p.plan.tile_tokens * p.plan.q_per_group && token >= run.begin && token < run.end;
}

template <int kHeadDim>
__device__ void LoadQueries(const FastAttentionParams& p, const Run& run, int64_t tile_begin,
                            BF16* queries) {
  const AttentionArgs& args = p.args;
  const int64_t row_heads = args.num_q_heads + 2 * args.num_kv_heads;
  for (int i = threadIdx.x; i < kTileRows * kHeadDim; i += kThreads) {
    const int row = i / kHeadDim, d = i % kHeadDim;
    const Row at = RowOf(p, tile_begin, row);
    const int64_t head = run.kv_head * p.plan.q_per_group + at.head;
    queries[row * kRowStride<kHeadDim> + d] =
        IsOfRun(p, run, tile_begin, row) ? args.qkv[(at.token * row_heads + head) * kHeadDim + d]
                                         : BF16{0};
  }
}

/// Starts the copies of a page's keys or values as one group; of nothing behind the last page.
template <int kHeadDim>
__device__ void LoadHalf(const FastAttentionParams& p, const Run& run, int64_t page, bool values,
                         BF16* shared) {
  if (page < PagesUpTo(run.last_position)) {
    const int64_t offset = KeysOffset(run.pages[page], run.kv_head, p.args.num_kv_heads, kHeadDim) +
                           (values ? kPageTokens * kHeadDim : 0);
    const int64_t rest = run.last_position + 1 - page * kPageTokens;
    LoadPage<kHeadDim, kThreads>(p.args.pages + offset,
                                 static_cast<int>(rest < kPageTokens ? rest : kPageTokens), shared);
  }
  CommitCopies();
}

/// The last position that each of the lane's two rows sees; -1: the row has no token of the run.
__device__ void Horizons(const FastAttentionParams& p, const Run& run, int64_t tile_begin,
                         int64_t (&last)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = threadIdx.x / kWarp * 16 + threadIdx.x % kWarp / 4 + r * 8;
    last[r] = IsOfRun(p, run, tile_begin, row)
                  ? int64_t{p.args.positions[RowOf(p, tile_begin, row).token]}
                  : int64_t{-1};
  }
}

__device__ void ScaleAndMask(float scale, int64_t first_key, const int64_t (&last)[2],
                             float (&scores)[kKeyTiles][4]) {
#pragma unroll
  for (int j = 0; j < kKeyTiles; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int64_t key = first_key + j * 8 + threadIdx.x % 4 * 2 + i % 2;
      scores[j][i] = key <= last[i / 2] ? scores[j][i] * scale : kNothing;
    }
  }
}

/// Adds a split to the sums of those before it, which lie in shared memory where only this lane
/// looks, and begins the next one.
template <int kDimTiles>
__device__ void EndSplit(float* sums, RowState& total, RowState& state,
                         float (&acc)[kDimTiles][4]) {
  MergeFactors factors[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    factors[r] = FactorsOf(total.max[r], state.max[r]);
    total.max[r] = factors[r].max;
    total.sum[r] = Merge(total.sum[r], state.sum[r], factors[r]);
  }
#pragma unroll
  for (int t = 0; t < kDimTiles; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float& sum = sums[(t * 4 + i) * kWarp];
      sum = Merge(sum, acc[t][i], factors[i / 2]);
      acc[t][i] = 0.0f;
    }
  }
  state = RowState();
}

template <int kHeadDim>
__device__ void StoreRows(const FastAttentionParams& p, const Run& run, int64_t tile_begin,
                          const RowState& total, const float* sums) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = threadIdx.x / kWarp * 16 + lane / 4 + r * 8;
    if (!IsOfRun(p, run, tile_begin, row)) continue;
    const Row at = RowOf(p, tile_begin, row);
    BF16* out =
        p.args.out +
        (at.token * p.args.num_q_heads + run.kv_head * p.plan.q_per_group + at.head) * kHeadDim;
    for (int t = 0; t < kHeadDim / 8; ++t) {
      for (int i = 0; i < 2; ++i) {
        const float sum = sums[(t * 4 + 2 * r + i) * kWarp];
        out[t * 8 + lane % 4 * 2 + i] = BF16FromFloat(__fdiv_rn(sum, total.sum[r]));
      }
    }
  }
}

template <int kHeadDim>
__device__ void WalkRun(const FastAttentionParams& p, const Run& run, int64_t tile_begin,
                        BF16* shared) {
  using L = Layout<kHeadDim>;
  BF16* queries = shared;
  BF16* keys = queries + L::kQueryElements;
  BF16* values = keys + L::kPageElements;
  const int warp = threadIdx.x / kWarp;
  float* sums =
      reinterpret_cast<float*>(shared + L::kElements) + warp * 16 * kHeadDim + threadIdx.x % kWarp;
  int64_t last[2];
  Horizons(p, run, tile_begin, last);
  LoadQueries<kHeadDim>(p, run, tile_begin, queries);
  LoadHalf<kHeadDim>(p, run, 0, false, keys);
  LoadHalf<kHeadDim>(p, run, 0, true, values);
  for (int i = 0; i < L::kDimTiles * 4; ++i) sums[i * kWarp] = 0.0f;

  RowState total, state;
  float acc[L::kDimTiles][4] = {};
  const int64_t num_pages = PagesUpTo(run.last_position);
  for (int64_t page = 0; page < num_pages; ++page) {
    WaitCopies<1>();
    __syncthreads();  // keys are there
    float scores[kKeyTiles][4] = {}, keep[2];
    AddScores<kHeadDim>(queries + warp * 16 * kRowStride<kHeadDim>, keys, 0, scores);
    __syncthreads();  // all are done with the keys
    LoadHalf<kHeadDim>(p, run, page + 1, false, keys);
    ScaleAndMask(p.args.scale, page * kPageTokens, last, scores);
    TakeScores(scores, state, keep);
    WaitCopies<1>();
    __syncthreads();  // values are there
    AddValues<kHeadDim>(scores, keep, values, acc);
    __syncthreads();  // all are done with the values
    LoadHalf<kHeadDim>(p, run, page + 1, true, values);
    if (page % kSplitPages == kSplitPages - 1 || page + 1 == num_pages) {
      EndSplit(sums, total, state, acc);
    }
  }
  WaitCopies<0>();
  // All threads were done with the queries at the last page's barriers.
  StoreRows<kHeadDim>(p, run, tile_begin, total, sums);
}

/// Blocks of the same tokens are neighbours.
template <int kHeadDim>
__global__ void __launch_bounds__(kThreads, 1) PrefillKernel(FastAttentionParams p) {
  NEMO_DYNAMIC_SHARED(BF16, shared);
  const AttentionArgs& args = p.args;
  const int64_t tile_begin = blockIdx.x / args.num_kv_heads * p.plan.tile_tokens;
  int64_t tile_end = tile_begin + p.plan.tile_tokens;
  if (tile_end > args.num_tokens) tile_end = args.num_tokens;
  for (int64_t begin = tile_begin; begin < tile_end;) {
    Run run;
    run.begin = begin;
    run.end = EndOfRun(args.sequence_of, begin, tile_end);
    run.kv_head = blockIdx.x % args.num_kv_heads;
    run.pages = args.page_table + args.sequence_of[begin] * args.page_table_stride;
    run.last_position = 0;
    for (int64_t t = begin; t < run.end; ++t) {
      if (args.positions[t] > run.last_position) run.last_position = args.positions[t];
    }
    if (!IsAlone(args.sequence_of, args.num_tokens, begin)) {
      WalkRun<kHeadDim>(p, run, tile_begin, shared);
    }
    begin = run.end;
  }
}

template <int kHeadDim>
cudaError_t LaunchDim(const FastAttentionParams& p, cudaStream_t stream) {
  return Launch(PrefillKernel<kHeadDim>, p, p.plan.run_tiles * p.args.num_kv_heads, kThreads,
                Layout<kHeadDim>::kBytes, stream);
}

}  // namespace

cudaError_t LaunchPrefillAttention(const FastAttentionParams& params, cudaStream_t stream) {
  return params.args.head_dim == 128 ? LaunchDim<128>(params, stream)
                                     : LaunchDim<192>(params, stream);
}

}  // namespace nemo::cuda
