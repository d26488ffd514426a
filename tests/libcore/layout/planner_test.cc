#include "libcore/layout/planner.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/tensor/source.h"

namespace nemo {
namespace {

ModelConfig Small() {
  ModelConfig c;
  c.num_layers = 6;
  c.hidden_size = 16;
  c.ffn_hidden_size = 64;
  c.num_attention_heads = 8;
  c.num_query_groups = 2;
  c.kv_channels = 4;
  c.max_position_embeddings = 64;
  c.vocab_size = 300;
  c.padded_vocab_size = 384;
  return c;
}

std::vector<TensorSpec> SpecsOf(const ModelConfig& config) {
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : *LogicalTensors(config)) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
  }
  std::sort(specs.begin(), specs.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return specs;
}

Result<Plan> PlanFor(const ModelConfig& config, const ParallelLayout& layout,
                     VocabRule vocab = {}) {
  return PlanShards(config, SpecsOf(config), layout, vocab);
}

std::vector<ParallelLayout> LegalLayouts() {
  std::vector<ParallelLayout> layouts;
  for (const int64_t tp : {1, 2, 4, 8}) {
    for (const int64_t pp : {1, 2, 3, 6}) layouts.push_back({tp, pp});
    layouts.push_back({tp, 4, 1, {1, 2, 2, 1}});
    layouts.push_back({tp, 3, 2});
    layouts.push_back({.tp_size = tp, .pp_size = 2, .kv_duplicate = true});
  }
  return layouts;
}

/// How often each canonical element is written, and that the moves tile each target tensor.
void CheckCoverage(const Plan& plan, const ModelConfig& config) {
  std::map<std::string, std::vector<int>> hits;
  for (const TensorSpec& spec : SpecsOf(config))
    hits[spec.name].resize(static_cast<size_t>(NumElements(spec.shape)));
  for (const PlannedFile& file : plan.files) {
    for (const PlannedTensor& planned : file.tensors) {
      int64_t moved = 0;
      for (const Move& move : planned.moves) {
        ASSERT_EQ(move.source.extent, move.target.extent);
        ASSERT_TRUE(Contains(planned.tensor.spec.shape, move.target));
        for (const Move& other : planned.moves) {
          if (&other != &move) {
            ASSERT_FALSE(Intersect(move.target, other.target));
          }
        }
        moved += NumElements(move.target);
        if (move.source_name.empty()) continue;
        const TensorSpec spec = *FindSpec(SpecsOf(config), move.source_name);
        ASSERT_TRUE(Contains(spec.shape, move.source));
        for (int64_t i = 0; i < NumElements(move.source); ++i) {
          const auto index = IndexOf(move.source.extent, i);
          int64_t linear = 0;
          for (size_t a = 0; a < index.size(); ++a)
            linear = linear * spec.shape[a] + move.source.offset[a] + index[a];
          ++hits[move.source_name][static_cast<size_t>(linear)];
        }
      }
      ASSERT_EQ(moved, NumElements(planned.tensor.spec.shape)) << planned.tensor.spec.name;
    }
  }
  const int tp = static_cast<int>(plan.layout.tp_size);
  for (const auto& [name, counts] : hits) {
    const bool replicated = name.find("norm") != std::string::npos;
    const bool duplicated =
        plan.layout.kv_duplicate && name.find("linear_qkv.weight") != std::string::npos;
    const bool vocab = name == kEmbeddingName || name == kOutputLayerName;
    for (size_t i = 0; i < counts.size(); ++i) {
      const bool padding =
          vocab && i >= static_cast<size_t>(config.vocab_size * config.hidden_size);
      if (duplicated) {
        ASSERT_GE(counts[i], 1) << name;
      } else {
        ASSERT_EQ(counts[i], padding ? 0 : replicated ? tp : 1) << name << " element " << i;
      }
    }
  }
}

TEST(Planner, CoversEveryElementOnceInEveryLayout) {
  for (const ParallelLayout& layout : LegalLayouts()) {
    SCOPED_TRACE(ToString(layout));
    const auto plan = PlanFor(Small(), layout);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(static_cast<int64_t>(plan->files.size()), layout.world_size());
    CheckCoverage(*plan, Small());
  }
}

TEST(Planner, SplitsQkvBetweenQueryGroups) {
  const auto plan = PlanFor(Small(), {.tp_size = 2});
  ASSERT_TRUE(plan);
  // Two groups of 4 query heads, a key and a value head: 24 rows each, one group per rank.
  for (const PlannedTensor& planned : plan->files[1].tensors) {
    if (planned.canonical_name != "decoder.layers.0.self_attention.linear_qkv.weight") continue;
    EXPECT_EQ(
        planned.moves,
        (std::vector<Move>{{planned.canonical_name, {{24, 0}, {24, 16}}, Box::Whole({24, 16})}}));
  }
}

TEST(Planner, DuplicatesWholeKeyAndValueHeadsWhenAsked) {
  const auto plan = PlanFor(Small(), {.tp_size = 4, .kv_duplicate = true});
  ASSERT_TRUE(plan);
  // Rank 3: query heads 6 and 7, which are heads 2 and 3 of group 1, then K and V of group 1.
  for (const PlannedTensor& planned : plan->files[3].tensors) {
    if (planned.canonical_name != "decoder.layers.0.self_attention.linear_qkv.weight") continue;
    EXPECT_EQ(planned.tensor.spec.shape, (Shape{16, 16}));
    EXPECT_EQ(planned.moves,
              (std::vector<Move>{{planned.canonical_name, {{32, 0}, {8, 16}}, {{0, 0}, {8, 16}}},
                                 {planned.canonical_name, {{40, 0}, {8, 16}}, {{8, 0}, {8, 16}}}}));
  }
}

TEST(Planner, PadsTheVocabularyWithZeroRowsAsMegatronCounts) {
  struct Case {
    int64_t tp;
    VocabRule rule;
    int64_t rows;
  };
  const Case cases[] = {{1, {}, 384},
                        {2, {}, 512},
                        {4, {}, 512},
                        {2, {VocabRule::Kind::kKeep}, 384},
                        {2, {VocabRule::Kind::kPrune}, 300},
                        {2, {VocabRule::Kind::kPad, 64}, 384}};
  for (const Case& c : cases) {
    const auto plan = PlanFor(Small(), {.tp_size = c.tp}, c.rule);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->config.padded_vocab_size, c.rows);
  }
  // 256000 pieces of the 340B: the figures that Megatron gives.
  ModelConfig c = Small();
  c.num_attention_heads = 96;
  c.num_query_groups = 96;
  c.ffn_hidden_size = 192;
  c.vocab_size = c.padded_vocab_size = 256000;
  for (const auto& [tp, rows] :
       std::map<int64_t, int64_t>{{1, 256000}, {16, 256000}, {32, 258048}, {3, 256128}}) {
    EXPECT_EQ(PlanFor(c, {.tp_size = tp})->config.padded_vocab_size, rows) << tp;
  }
}

TEST(Planner, TiedOutputLayersAreCopiedToTheLastStage) {
  ModelConfig c = Small();
  c.share_embeddings_and_output_weights = true;
  const auto one = PlanFor(c, {.tp_size = 1}), two = PlanFor(c, {.tp_size = 1, .pp_size = 2});
  const auto count = [](const PlannedFile& file) {
    return std::count_if(file.tensors.begin(), file.tensors.end(), [](const PlannedTensor& t) {
      return t.tensor.spec.name == kOutputLayerName && t.canonical_name == kEmbeddingName;
    });
  };
  EXPECT_EQ(count(one->files[0]), 0);
  EXPECT_EQ(count(two->files[0]), 0);
  EXPECT_EQ(count(two->files[1]), 1);
}

TEST(Planner, InterleavesVirtualStages) {
  // Chunk c of stage p begins at c * L/VP + p * L/(PP * VP).
  EXPECT_EQ(LayersOfStage({1, 3, 2}, Small(), 1), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(LayersOfStage({1, 2, 1, {2, 4}}, Small(), 1), (std::vector<int64_t>{2, 3, 4, 5}));
}

TEST(Planner, RefusesImpossibleLayoutsAndNamesTheNearest) {
  struct Case {
    ParallelLayout layout;
    const char* said;
  };
  const Case cases[] = {
      {{3, 1},
       "num_attention_heads 8 does not divide by it; the nearest size that works is 2 or 4"},
      {{16, 1}, "the nearest size that works is 8"},
      {{0, 1}, "expected 1..4096"},
      {{-2, 1}, "expected 1..4096"},
      {{1, 4}, "num_layers 6 does not divide by it; the nearest size that works is 3 or 6"},
      {{1, 7}, "more stages than the model's 6 layers"},
      {{1, 2, 2}, "virtual pipeline size 2: the 3 layers of a stage do not divide by it"},
      {{1, 2, 1, {1, 2}}, "has 3 layers in all, and the model 6"},
      {{1, 3, 1, {3, 3}}, "has 2 stages"},
      {{1, 2, 1, {7, -1}}, "7 layers in one stage"},
  };
  for (const Case& c : cases) {
    const auto plan = PlanFor(Small(), c.layout);
    ASSERT_FALSE(plan) << c.said;
    EXPECT_EQ(plan.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(plan.error().message().find(c.said), std::string::npos) << plan.error().message();
  }
  EXPECT_FALSE(PlanFor(Small(), {.tp_size = 8}, {VocabRule::Kind::kPrune}));
  // More ranks than groups of K and V heads must hold equally many copies of each.
  ModelConfig uneven = Small();
  uneven.num_attention_heads = 24;
  uneven.num_query_groups = 4;
  uneven.ffn_hidden_size = 96;
  const auto copies = PlanFor(uneven, {.tp_size = 6});
  ASSERT_FALSE(copies);
  EXPECT_NE(copies.error().message().find("neither divides num_query_groups 4 nor is a multiple"),
            std::string::npos)
      << copies.error().message();
  ModelConfig no_tokenizer = Small();
  no_tokenizer.vocab_size = 0;
  EXPECT_FALSE(PlanFor(no_tokenizer, {}, {VocabRule::Kind::kPrune}));
  EXPECT_EQ(PlanFor(no_tokenizer, {})->config.padded_vocab_size, 384);
}

TEST(Planner, MissingTensorsAndWrongShapesShowBeforeAnythingMoves) {
  auto specs = SpecsOf(Small());
  specs.erase(specs.begin() + 3);
  EXPECT_EQ(PlanShards(Small(), specs, {}, {}).error().code(), StatusCode::kNotFound);
  specs = SpecsOf(Small());
  specs.front().shape.front() += 1;
  EXPECT_EQ(PlanShards(Small(), specs, {}, {}).error().code(), StatusCode::kCorruption);
}

TEST(Layout, SurvivesTheTripThroughPlainData) {
  for (const ParallelLayout& layout : LegalLayouts())
    EXPECT_EQ(*LayoutFromValue(ToValue(layout)), layout);
}

}  // namespace
}  // namespace nemo
