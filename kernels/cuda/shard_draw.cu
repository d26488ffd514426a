// What the choice of a token needs of a row of logits: the row as the draw has it, a winner or the
// mass of each vocabulary chunk, the best of the row. The same bits as on the host: divisions are
// rounded, scores and masses are double precision in the contract's steps, a chunk's sum is one
// thread's, and lists are exact selections.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"
#include "libcore/runtime/math.h"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 128;       // of a chunk
constexpr int kTileColumns = 2048;  // of a row, that a block scales
constexpr int kListThreads = 512;   // of a row's list
constexpr int kDigits = 256;        // of one step of the selection

__device__ float MinusInfinity() { return -std::numeric_limits<float>::infinity(); }

/// A block per draw and tile.
__global__ void ScaleKernel(ShardDrawArgs args) {
  const int64_t num_tiles = (args.num_columns + kTileColumns - 1) / kTileColumns;
  const RowDraw d = args.draws[blockIdx.x / num_tiles];
  const int64_t begin = blockIdx.x % num_tiles * kTileColumns;
  const int64_t end =
      begin + kTileColumns < args.num_columns ? begin + kTileColumns : args.num_columns;
  const float* logits = args.logits + d.row * args.num_columns;
  float* scaled = args.scaled + d.row * args.num_columns;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const int64_t id = args.column_begin + i;
    const bool is_off = id >= args.vocab_size || id == d.banned_id;
    const float logit = is_off ? MinusInfinity() : logits[i];
    scaled[i] = d.temperature == 1.0f ? logit : logit / d.temperature;
  }
  if (d.penalty == 1.0f) return;
  __syncthreads();  // a used token's logit is another thread's
  for (int32_t i = d.used_begin + threadIdx.x; i < d.used_end; i += kThreads) {
    const int64_t column = args.used[i] - args.column_begin;
    if (column < begin || column >= end) continue;
    const float logit = scaled[column];
    const bool multiply = d.multiplies_negative != 0 && logit < 0.0f;
    scaled[column] = multiply ? logit * d.penalty : logit / d.penalty;
  }
}

/// What wins, by what score; no column yet: -1.
struct Scored {
  double score;
  float logit;
  int32_t column;
};

__device__ Scored BetterOf(const Scored& a, const Scored& b) {
  if (b.column < 0) return a;
  if (a.column < 0 || b.score > a.score) return b;
  return b.score == a.score && b.column < a.column ? b : a;
}

/// The winner of a chunk, in all threads. With `key`, by logit + Gumbel.
__device__ Scored FindWinner(const float* logits, int64_t count, int64_t first_id,
                             const DrawKey* key, Scored* shared) {
  Scored best{0.0, MinusInfinity(), -1};
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    if (!(logits[i] > MinusInfinity())) continue;
    double score = logits[i];
    if (key != nullptr) score += Gumbel(*key, static_cast<uint32_t>(first_id + i));
    best = BetterOf(best, {score, logits[i], static_cast<int32_t>(i)});
  }
  return BestOfBlock<kThreads>(best, shared);
}

/// The sum of exp(logit - max) in order; valid in thread 0.
__device__ double MassOf(const float* logits, int64_t count, float max, double* shared) {
  return SumInOrder<kThreads>(
      count, shared, [=](int64_t i) { return ExpF64(static_cast<double>(logits[i]) - max); });
}

/// A block per draw and chunk.
__global__ void ChunkKernel(ShardDrawArgs args) {
  __shared__ Scored winners[kThreads];
  __shared__ double terms[kThreads];
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  const int64_t chunk = blockIdx.x % num_chunks;
  const RowDraw d = args.draws[blockIdx.x / num_chunks];
  const int64_t first_id = args.column_begin + chunk * args.chunk_columns;
  const float* logits = args.scaled + d.row * args.num_columns + chunk * args.chunk_columns;
  ChunkDraw out;
  out.winner.logit = out.max = MinusInfinity();
  out.winner.token_id = -1;
  out.mass = 0.0;
  if (d.wanted != Wanted::kBest) {
    const Scored best = FindWinner(logits, args.chunk_columns, first_id,
                                   d.wanted == Wanted::kDrawn ? &d.key : nullptr, winners);
    if (d.wanted != Wanted::kBestAndMass) {
      out.winner.logit = best.logit;
      out.winner.token_id = best.column < 0 ? -1 : static_cast<int32_t>(first_id + best.column);
    } else if (best.column >= 0) {
      out.max = best.logit;
      out.mass = MassOf(logits, args.chunk_columns, best.logit, terms);
    }
  }
  if (threadIdx.x == 0) args.chunks[blockIdx.x] = out;
}

/// Rises with the logit; 0 for what is never listed. Both zeros are one.
__device__ uint32_t KeyOf(float logit) {
  if (!(logit > MinusInfinity())) return 0;
  const uint32_t bits = __float_as_uint(logit == 0.0f ? 0.0f : logit);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/// Counts by digit of this thread's columns whose key begins with `prefix`, into `counts`.
__device__ void CountDigits(const float* row, int64_t begin, int64_t end, uint32_t prefix,
                            int shift, int32_t* counts) {
  for (int digit = threadIdx.x; digit < kDigits; digit += kListThreads) counts[digit] = 0;
  __syncthreads();
  for (int64_t i = begin; i < end; ++i) {
    const uint32_t key = KeyOf(row[i]);
    const bool belongs = shift == 24 || key >> (shift + 8) == prefix >> (shift + 8);
    if (key != 0 && belongs) atomicAdd(&counts[key >> shift & (kDigits - 1)], 1);
  }
  __syncthreads();
}

/// The sums of the threads before, in `shared`; returns the sum of all.
__device__ int32_t SumBefore(int32_t mine, int32_t* shared, int32_t* before) {
  shared[threadIdx.x] = mine;
  __syncthreads();
  for (int step = 1; step < kListThreads; step *= 2) {
    const int32_t left = threadIdx.x >= step ? shared[threadIdx.x - step] : 0;
    __syncthreads();
    shared[threadIdx.x] += left;
    __syncthreads();
  }
  const int32_t all = shared[kListThreads - 1];
  *before = shared[threadIdx.x] - mine;
  __syncthreads();  // before the next sum
  return all;
}

/// A block per draw; a thread has a run of neighbouring columns, so that lists are in their order.
__global__ void ListKernel(ShardDrawArgs args) {
  __shared__ int32_t counts[kDigits];
  __shared__ int32_t sums[kListThreads];
  const RowDraw d = args.draws[blockIdx.x];
  if (d.wanted != Wanted::kBest && d.wanted != Wanted::kBestAndMass) return;
  const float* row = args.scaled + d.row * args.num_columns;
  const int64_t run = (args.num_columns + kListThreads - 1) / kListThreads;
  const int64_t from = threadIdx.x * run;
  const int64_t begin = from < args.num_columns ? from : args.num_columns;
  const int64_t end = begin + run < args.num_columns ? begin + run : args.num_columns;

  int32_t mine = 0, before = 0;
  for (int64_t i = begin; i < end; ++i) mine += KeyOf(row[i]) != 0 ? 1 : 0;
  const int32_t num_candidates = SumBefore(mine, sums, &before);
  if (threadIdx.x == 0) args.num_candidates[blockIdx.x] = num_candidates;

  // The key of the last that is listed, digit by digit, and how many of those that have it are.
  uint32_t threshold = 0;
  int32_t wanted = static_cast<int32_t>(args.limit);
  if (num_candidates > args.limit) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      CountDigits(row, begin, end, threshold, shift, counts);
      int digit = kDigits - 1;
      while (counts[digit] < wanted) wanted -= counts[digit--];
      threshold |= static_cast<uint32_t>(digit) << shift;
      __syncthreads();  // all have read the counts
    }
  }

  int32_t greater = 0, equal = 0;
  for (int64_t i = begin; i < end; ++i) {
    const uint32_t key = KeyOf(row[i]);
    greater += key > threshold ? 1 : 0;
    equal += key == threshold && threshold != 0 ? 1 : 0;
  }
  int32_t greater_before = 0, equal_before = 0;
  SumBefore(greater, sums, &greater_before);
  SumBefore(equal, sums, &equal_before);
  Candidate* best = args.best + blockIdx.x * args.limit;
  int32_t at = greater_before + (equal_before < wanted ? equal_before : wanted);
  for (int64_t i = begin; i < end; ++i) {
    const uint32_t key = KeyOf(row[i]);
    if (key < threshold || key == 0) continue;
    if (key == threshold && equal_before++ >= wanted) continue;
    best[at].logit = row[i];
    best[at++].token_id = static_cast<int32_t>(args.column_begin + i);
  }
  for (int64_t i = num_candidates + threadIdx.x; i < args.limit; i += kListThreads) {
    best[i].logit = MinusInfinity();
    best[i].token_id = -1;
  }
}

__global__ void PickKernel(PickLogitsArgs args) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (row >= args.num_rows) return;
  const int64_t column = args.ids[row] - args.column_begin;
  const bool is_here = args.ids[row] >= 0 && column >= 0 && column < args.num_columns;
  args.out[row] = is_here ? args.logits[row * args.num_columns + column] : 0.0f;
}

}  // namespace

cudaError_t LaunchShardDraw(const ShardDrawArgs& args, cudaStream_t stream) {
  const int64_t num_tiles = (args.num_columns + kTileColumns - 1) / kTileColumns;
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  cudaError_t error = Launch(ScaleKernel, args, args.num_draws * num_tiles, kThreads, 0, stream);
  if (error == cudaSuccess) {
    error = Launch(ChunkKernel, args, args.num_draws * num_chunks, kThreads, 0, stream);
  }
  if (error != cudaSuccess) return error;
  return Launch(ListKernel, args, args.num_draws, kListThreads, 0, stream);
}

cudaError_t LaunchPickLogits(const PickLogitsArgs& args, cudaStream_t stream) {
  return Launch(PickKernel, args, (args.num_rows + kThreads - 1) / kThreads, kThreads, 0, stream);
}

}  // namespace nemo::cuda
