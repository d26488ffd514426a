#include "libcore/runtime/rank_shape.h"

#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/models.h"

namespace nemo {
namespace {

using testing::Nemotron340B;

TEST(CutVocabulary, ChunksDoNotDependOnTheRanks) {
  const struct {
    int64_t vocab_size, chunk_columns, num_chunks;
  } kCases[] = {{256000, 2000, 128}, {32000, 2000, 16}, {2048, 256, 8}, {1100, 138, 8}, {5, 1, 8}};
  for (const auto& row : kCases) {
    for (const int64_t tp : {1, 2, 3, 4, 8, 16}) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < tp; ++rank) {
        const VocabCut cut = CutVocabulary(row.vocab_size, tp, rank);
        EXPECT_EQ(cut.chunk_columns, row.chunk_columns);
        EXPECT_EQ(cut.num_chunks, row.num_chunks);
        EXPECT_EQ(cut.chunk_begin, next);
        EXPECT_LE(cut.chunk_end - cut.chunk_begin, cut.max_rank_chunks(tp));
        next = cut.chunk_end;
        for (int64_t id = cut.column_begin(); id < cut.column_begin() + cut.num_columns();
             id += row.chunk_columns) {
          EXPECT_EQ(OwnerOfColumn(cut, tp, id), rank);
        }
      }
      EXPECT_EQ(next, row.num_chunks);
      EXPECT_GE(row.chunk_columns * row.num_chunks, row.vocab_size);
    }
  }
}

TEST(RankShape, CutsTheBigModelAsItsPapersDo) {
  ParallelLayout layout;
  layout.tp_size = 8;
  layout.pp_size = 2;
  auto shape = ShapeOfRank(Nemotron340B(), layout, 11);
  ASSERT_TRUE(shape) << shape.error().message();
  EXPECT_EQ(shape->tp_rank, 3);
  EXPECT_EQ(shape->pp_rank, 1);
  EXPECT_EQ(shape->layers.size(), 48u);
  EXPECT_EQ(shape->layers[0], 48);
  EXPECT_EQ(shape->qkv_columns(), 2688);
  EXPECT_EQ(shape->ffn_size, 9216);
  EXPECT_EQ(shape->rotary_dim, 96);
  EXPECT_EQ(shape->proj_leaves, 1);
  EXPECT_EQ(shape->vocab.num_columns(), 32000);
  EXPECT_TRUE(shape->invariant);
  EXPECT_TRUE(shape->last_stage());
  EXPECT_FALSE(shape->first_stage());
}

TEST(RankShape, RepeatsKeyAndValueHeadsBeyondTheQueryGroups) {
  ParallelLayout layout;
  layout.tp_size = 16;
  for (int64_t rank = 0; rank < 16; ++rank) {
    auto shape = ShapeOfRank(Nemotron340B(), layout, rank);
    ASSERT_TRUE(shape) << shape.error().message();
    EXPECT_EQ(shape->num_q_heads, 6);
    EXPECT_EQ(shape->num_kv_heads, 1);
    EXPECT_EQ(shape->kv_head_begin, rank / 2);
    EXPECT_FALSE(shape->invariant);  // 16 ranks do not divide 8 leaves
    EXPECT_EQ(shape->fc2_leaves, 1);
  }
}

TEST(RankShape, SharesTheLeavesAmongTheRanks) {
  for (const int64_t tp : {1, 2, 4, 8}) {
    ParallelLayout layout;
    layout.tp_size = tp;
    auto shape = ShapeOfRank(Nemotron340B(), layout, 0);
    ASSERT_TRUE(shape);
    EXPECT_EQ(shape->proj_leaves, 8 / tp);
    EXPECT_EQ(shape->fc2_leaves, 8 / tp);
    EXPECT_TRUE(shape->invariant);
  }
}

TEST(RankShape, TheFilesPaddingDoesNotDecideWhatCanRun) {
  ModelConfig config = Nemotron340B();
  config.vocab_size = 255029;
  config.padded_vocab_size = 255029;  // prime: no file layout could split it
  ParallelLayout layout;
  layout.tp_size = 8;
  auto shape = ShapeOfRank(config, layout, 7);
  ASSERT_TRUE(shape) << shape.error().message();
  EXPECT_EQ(shape->vocab.chunk_columns, 31879);
}

TEST(RankShape, RefusesWhatCannotRun) {
  ModelConfig no_vocab = Nemotron340B();
  no_vocab.vocab_size = 0;
  ParallelLayout virtual_stages, wide;
  virtual_stages.vpp_size = 2;
  wide.tp_size = 5;
  const struct {
    ModelConfig config;
    ParallelLayout layout;
    int64_t rank;
    const char* says;
  } kCases[] = {{no_vocab, {}, 0, "the tokenizer"},
                {Nemotron340B(), virtual_stages, 0, "--vpp 1"},
                {Nemotron340B(), wide, 0, "tensor-parallel size 5"},
                {Nemotron340B(), {}, 1, "rank 1 of 1"},
                {Nemotron340B(), {}, -1, "rank -1"}};
  for (const auto& row : kCases) {
    auto shape = ShapeOfRank(row.config, row.layout, row.rank);
    ASSERT_FALSE(shape);
    EXPECT_EQ(shape.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(shape.error().message().find(row.says), std::string::npos) << shape.error().message();
  }
}

}  // namespace
}  // namespace nemo
