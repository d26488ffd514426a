// The arithmetic of the launches: every output and input has one place, whatever the sizes.
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/linear_plan.h"
#include "kernels/cuda/packed_weight.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

struct Sizes {
  int64_t m, n, k;
};

TEST(LinearPlan, GivesEachProductToOneBlock) {
  for (const Sizes& s : {Sizes{1, 1, 1},
                         {8, 64, 256},
                         {9, 65, 257},
                         {64, 100, 4104},
                         {65, 200, 9000},
                         {130, 2688, 18432},
                         {33, 32000, 512}}) {
    const LinearPlan plan = PlanLinear(s.m, s.n, s.k, 132);
    std::map<int64_t, int64_t> chunks;  // of each tile
    for (int64_t i = 0; i < plan.blocks(); ++i) {
      const LinearBlock block = plan.At(i);
      EXPECT_LT(block.column_begin, s.n);
      EXPECT_LT(block.token_begin, s.m);
      EXPECT_LT(block.chunk_begin, block.chunk_end) << "a split without inputs";
      EXPECT_EQ(block.chunk_begin, block.split * plan.split_chunks);
      chunks[block.column_begin * plan.token_tiles * plan.tile_tokens + block.token_begin] +=
          block.chunk_end - block.chunk_begin;
    }
    EXPECT_EQ(std::ssize(chunks), plan.column_tiles * plan.token_tiles);
    for (const auto& [tile, count] : chunks) EXPECT_EQ(count, plan.num_chunks);
    EXPECT_GE(plan.token_tiles * plan.tile_tokens, s.m);
    EXPECT_GE(plan.num_chunks * kChunkInputs, s.k);
    EXPECT_LE(plan.num_splits, kMaxSplits);
  }
}

TEST(LinearPlan, CutsTheInputsAlikeForEveryBatch) {
  for (const int64_t n : {64, 2688, 9216, 18432}) {
    const LinearPlan one = PlanLinear(1, n, 18432, 132);
    for (const int64_t m : {2, 8, 9, 31, 64, 65, 512}) {
      const LinearPlan plan = PlanLinear(m, n, 18432, 132);
      EXPECT_EQ(plan.num_splits, one.num_splits);
      EXPECT_EQ(plan.split_chunks, one.split_chunks);
    }
  }
}

// The products of one token of Nemotron-4-340B at TP8 on 132 multiprocessors.
TEST(LinearPlan, FillsTheDeviceWithFewColumnsToo) {
  struct Row {
    int64_t n, k;
    int splits;
  };
  for (const Row& row : {Row{2688, 18432, 6},
                         {18432, 2304, 1},
                         {9216, 18432, 1},
                         {18432, 9216, 1},
                         {32000, 18432, 1},
                         {64, 18432, 15}}) {
    const LinearPlan plan = PlanLinear(1, row.n, row.k, 132);
    EXPECT_EQ(plan.num_splits, row.splits) << row.n << " x " << row.k;
    EXPECT_GE(plan.blocks(), row.n == 64 ? 15 : 132);
  }
}

TEST(LinearPlan, LanesTakeEachOperandAndResultOnce) {
  std::set<std::pair<int, int>> weights, tokens, results;
  for (int lane = 0; lane < 32; ++lane) {
    const LaneOperands at = OperandsOf(lane);
    for (int i = 0; i < 8; ++i) {
      tokens.insert({at.row, at.input + i});
      weights.insert({at.row, at.input + i});
      weights.insert({at.row + 8, at.input + i});
    }
    for (int i = 0; i < 4; ++i) {
      results.insert({ResultOf(lane, i).column, ResultOf(lane, i).token});
    }
  }
  EXPECT_EQ(tokens.size(), 8u * kStepInputs);
  EXPECT_EQ(weights.size(), size_t{kWarpColumns} * kStepInputs);
  EXPECT_EQ(results.size(), size_t{kWarpColumns} * 8);
}

TEST(AttentionPlan, EachTokenIsEitherAloneOrInOneRun) {
  const std::vector<int32_t> sequence_of = {4, 4, 4, 1, 2, 2, 0, 0, 0, 0, 0, 0, 7, 3, 3};
  const auto size = static_cast<int64_t>(sequence_of.size());
  const std::set<int64_t> alone = {3, 12};
  for (const int tile : {1, 2, 4, 5, 64}) {
    std::vector<int> taken(sequence_of.size());
    for (int64_t tile_begin = 0; tile_begin < size; tile_begin += tile) {
      const int64_t tile_end = std::min<int64_t>(tile_begin + tile, size);
      for (int64_t begin = tile_begin; begin < tile_end;) {
        const int64_t end = EndOfRun(sequence_of.data(), begin, tile_end);
        ASSERT_GT(end, begin);
        for (int64_t t = begin; t < end; ++t) {
          EXPECT_EQ(sequence_of[t], sequence_of[begin]);
          if (!IsAlone(sequence_of.data(), size, begin)) ++taken[t];
        }
        begin = end;
      }
    }
    for (int64_t t = 0; t < size; ++t) {
      EXPECT_EQ(IsAlone(sequence_of.data(), size, t), alone.count(t) == 1) << t;
      EXPECT_EQ(taken[t], alone.count(t) == 1 ? 0 : 1) << "token " << t << ", tiles of " << tile;
    }
  }
}

TEST(AttentionPlan, CountsPagesSplitsAndTiles) {
  EXPECT_EQ(PagesUpTo(0), 1);
  EXPECT_EQ(PagesUpTo(63), 1);
  EXPECT_EQ(PagesUpTo(64), 2);
  EXPECT_EQ(SplitsUpTo(511), 1);
  EXPECT_EQ(SplitsUpTo(512), 2);
  const AttentionPlan plan = PlanAttention(256, 12, 1, 64);
  EXPECT_EQ(plan.q_per_group, 12);
  EXPECT_EQ(plan.tile_tokens, 5);
  EXPECT_EQ(plan.run_tiles, 52);
  EXPECT_EQ(plan.max_splits, 8);
  EXPECT_EQ(PartialFloats(plan, 256, 12, 192), 256 * 12 * 8 * 194);
  // Partial results of a long prefill would not fit.
  EXPECT_EQ(PartialFloats(PlanAttention(257, 12, 1, 64), 257, 12, 192), 0);
  EXPECT_EQ(PlanAttention(3, 32, 32, 1).tile_tokens, 64);
  EXPECT_EQ(PlanAttention(3, 32, 32, 1).max_splits, 1);
}

TEST(AttentionPlan, PagesLieOneKeyValueHeadAfterAnother) {
  // [page][kv head][K|V][64][head_dim]
  EXPECT_EQ(KeysOffset(0, 0, 8, 192), 0);
  EXPECT_EQ(KeysOffset(0, 3, 8, 192), 3 * 2 * 64 * 192);
  EXPECT_EQ(KeysOffset(2, 0, 8, 192), 2 * 8 * 2 * 64 * 192);
}

TEST(AttentionPlan, WhatHasSeenNothingWeighsNothing) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(KeepFactor(-kInf, 3.0f), 0.0f);
  EXPECT_EQ(KeepFactor(-kInf, -kInf), 0.0f);
  EXPECT_EQ(KeepFactor(2.0f, 2.0f), 1.0f);
  EXPECT_EQ(KeepFactor(0.0f, 1.0f), ExpF32(-1.0f));
}

TEST(PackedShape, SaysWhereEachPanelLeafAndColumnBegins) {
  const PackedShape shape{70, 36, 2};  // leaves of 18 inputs: 3 groups
  EXPECT_EQ(shape.panels(), 3);
  EXPECT_EQ(shape.leaf_groups(), 3);
  EXPECT_EQ(shape.panel_elements(), 2 * 3 * 32 * 8);
  EXPECT_EQ(shape.Offset(0, 0, 5), 5 * 8);
  EXPECT_EQ(shape.Offset(0, 1, 0), 3 * 32 * 8);
  EXPECT_EQ(shape.Offset(2, 0, 0), 2 * shape.panel_elements());
}

}  // namespace
}  // namespace nemo::cuda
