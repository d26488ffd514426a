// Maximum, its lowest id and the sum of exponentials of each vocabulary chunk. A block per row and
// chunk. The sum's order is part of the contract, so in the exact kernel one thread adds what all
// have computed; in the fast one each adds its own.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/reduce.cuh"
#include "libcore/runtime/math.h"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

/// A logit and its column, kNone while nothing above -inf was seen.
struct Best {
  float max;
  int64_t column;
};

__device__ Best BetterOf(Best a, Best b) {
  if (b.max > a.max) return b;
  return b.max == a.max && b.column < a.column ? b : a;
}

__device__ Best FindBest(const float* logits, int64_t count, Best* shared) {
  Best best{-std::numeric_limits<float>::infinity(), kNone};
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    if (logits[i] > best.max) best = {logits[i], i};
  }
  return BestOfBlock<kThreads>(best, shared);
}

/// The sum of exp(logit - base) in order; valid in thread 0.
__device__ float SumExp(const float* logits, int64_t count, float base, float* shared) {
  return SumInOrder<kThreads>(count, shared, [=](int64_t i) { return ExpF32(logits[i] - base); });
}

/// The same sum by all threads, valid in all of them.
__device__ float FastSumExp(const float* logits, int64_t count, float base, float* shared) {
  float sum = 0.0f;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += ExpF32(logits[i] - base);
  return SumOfBlock<kThreads>(sum, shared);
}

template <bool kInOrder>
__global__ void HeadStatsKernel(HeadStatsArgs args) {
  __shared__ Best bests[kThreads];
  __shared__ float terms[kThreads];
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  const int64_t row = blockIdx.x / num_chunks;
  const int64_t chunk = blockIdx.x % num_chunks;
  const int64_t first_id = args.column_begin + chunk * args.chunk_columns;
  const int64_t in_vocab = args.vocab_size - first_id;
  const int64_t count =
      in_vocab < 0 ? 0 : (in_vocab < args.chunk_columns ? in_vocab : args.chunk_columns);
  const float* logits = args.logits + row * args.num_columns + chunk * args.chunk_columns;

  const Best best = FindBest(logits, count, bests);
  // Logits of -inf throughout weigh nothing; -inf - (-inf) would be NaN.
  const float base = best.column == kNone ? 0.0f : best.max;
  const float sum =
      kInOrder ? SumExp(logits, count, base, terms) : FastSumExp(logits, count, base, terms);
  if (threadIdx.x == 0) {
    const int32_t id = best.column == kNone ? -1 : static_cast<int32_t>(first_id + best.column);
    args.out[row * num_chunks + chunk] = ChunkStats{best.max, sum, id};
  }
}

}  // namespace

cudaError_t LaunchHeadStats(const HeadStatsArgs& args, cudaStream_t stream) {
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  return Launch(HeadStatsKernel<true>, args, args.num_rows * num_chunks, kThreads, 0, stream);
}

cudaError_t LaunchFastHeadStats(const HeadStatsArgs& args, cudaStream_t stream) {
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  return Launch(HeadStatsKernel<false>, args, args.num_rows * num_chunks, kThreads, 0, stream);
}

}  // namespace nemo::cuda
