// The steps of a row of attention that decode and prefill share: scores of a page become
// probabilities, probabilities times values are added up, splits merge. A warp has 16 rows; a lane
// has rows g and g + 8 of it, laid out as results of mma (mma.cuh).
#pragma once

#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/mma.cuh"

namespace nemo::cuda {

inline constexpr int kKeyTiles = static_cast<int>(kPageTokens) / 8;
inline constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// Of the two rows of a lane.
struct RowState {
  float max[2] = {kNothing, kNothing};
  float sum[2] = {0.0f, 0.0f};
};

/// Of the four lanes of a row.
__device__ inline float MaxOfRow(float value) {
  value = Larger(value, __shfl_xor_sync(0xffffffffu, value, 1));
  return Larger(value, __shfl_xor_sync(0xffffffffu, value, 2));
}
__device__ inline float SumOfRow(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 1);
  return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

/// Takes a page's scores in (-inf: not to be seen), which become probabilities. `keep`: what the
/// rows' earlier results are to be multiplied with.
__device__ inline void TakeScores(float (&scores)[kKeyTiles][4], RowState& state,
                                  float (&keep)[2]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float max = state.max[r];
#pragma unroll
    for (int j = 0; j < kKeyTiles; ++j) {
      max = Larger(Larger(max, scores[j][2 * r]), scores[j][2 * r + 1]);
    }
    max = MaxOfRow(max);
    float sum = 0.0f;
#pragma unroll
    for (int j = 0; j < kKeyTiles; ++j) {
#pragma unroll
      for (int i = 2 * r; i < 2 * r + 2; ++i) {
        scores[j][i] = scores[j][i] == kNothing ? 0.0f : ExpF32(scores[j][i] - max);
        sum += scores[j][i];
      }
    }
    keep[r] = state.max[r] == max ? 1.0f : KeepFactor(state.max[r], max);
    state.max[r] = max;
    state.sum[r] = state.sum[r] * keep[r] + SumOfRow(sum);
  }
}

/// A matrix in shared memory of 16-byte aligned rows; eight neighbouring ones begin in different
/// banks.
template <int kHeadDim>
inline constexpr int kRowStride = kHeadDim + 8;

/// scores[j] += the products of 16 query rows and keys [8 j, 8 j + 8), j in [begin, begin + count),
/// over the head's dimensions in order. `count` is even.
template <int kHeadDim, int kCount>
__device__ void AddScores(const BF16* queries, const BF16* keys, int begin,
                          float (&scores)[kCount][4]) {
  const int lane = threadIdx.x % kWarp;
  // Matrices of the queries: rows 0-7 and 8-15 of dimensions 0-7, then of 8-15.
  const BF16* query = queries + lane % 16 * kRowStride<kHeadDim> + lane / 16 * 8;
  // Of the keys: dimensions 0-7 and 8-15 of eight keys, then of the next eight.
  const BF16* key =
      keys + (begin * 8 + lane / 16 * 8 + lane % 8) * kRowStride<kHeadDim> + lane / 8 % 2 * 8;
#pragma unroll
  for (int d = 0; d < kHeadDim; d += 16) {
    uint32_t a[4];
    LoadMatrices(a, query + d);
#pragma unroll
    for (int j = 0; j < kCount; j += 2) {
      uint32_t b[4];
      LoadMatrices(b, key + j * 8 * kRowStride<kHeadDim> + d);
      const uint32_t b_low[2] = {b[0], b[1]}, b_high[2] = {b[2], b[3]};
      Mma(scores[j], a, b_low);
      Mma(scores[j + 1], a, b_high);
    }
  }
}

/// acc = acc * keep + RNE(p) values, over the page's tokens in order; kDimTiles tiles of 8
/// dimensions from `values` on. kDimTiles is even.
template <int kHeadDim, int kDimTiles>
__device__ void AddValues(const float (&p)[kKeyTiles][4], const float (&keep)[2],
                          const BF16* values, float (&acc)[kDimTiles][4]) {
  const int lane = threadIdx.x % kWarp;
#pragma unroll
  for (int t = 0; t < kDimTiles; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) acc[t][i] *= keep[i / 2];
  }
  // Matrices: tokens 0-7 and 8-15 of eight dimensions, then of the next eight.
  const BF16* value = values + lane % 16 * kRowStride<kHeadDim> + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kKeyTiles / 2; ++k) {
    const uint32_t a[4] = {PackPair(p[2 * k][0], p[2 * k][1]), PackPair(p[2 * k][2], p[2 * k][3]),
                           PackPair(p[2 * k + 1][0], p[2 * k + 1][1]),
                           PackPair(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
    for (int t = 0; t < kDimTiles; t += 2) {
      uint32_t b[4];
      LoadMatricesTransposed(b, value + k * 16 * kRowStride<kHeadDim> + t * 8);
      const uint32_t b_low[2] = {b[0], b[1]}, b_high[2] = {b[2], b[3]};
      Mma(acc[t], a, b_low);
      Mma(acc[t + 1], a, b_high);
    }
  }
}

/// How a split's results and those of the splits before it weigh in their sum.
struct MergeFactors {
  float max, keep, weight;
};
NEMO_HOST_DEVICE inline MergeFactors FactorsOf(float total_max, float split_max) {
  const float max = Larger(total_max, split_max);
  return {max, KeepFactor(total_max, max), KeepFactor(split_max, max)};
}
__device__ inline float Merge(float total, float split, const MergeFactors& factors) {
  return __fmaf_rn(split, factors.weight, total * factors.keep);
}

/// Starts the copies of the rows of one page (keys or values) to shared memory, by a block of
/// kThreads; rows from `count` on are zero, so that what lies there in the pool is never seen.
template <int kHeadDim, int kThreads>
__device__ void LoadPage(const BF16* rows, int count, BF16* shared) {
  constexpr int kRowVectors = kHeadDim / 8;
  for (int i = threadIdx.x; i < kPageTokens * kRowVectors; i += kThreads) {
    const int row = i / kRowVectors, vector = i % kRowVectors;
    const bool is_there = row < count;
    CopyAsync(shared + row * kRowStride<kHeadDim> + vector * 8,
              is_there ? rows + row * kHeadDim + vector * 8 : rows, is_there);
  }
}

}  // namespace nemo::cuda
