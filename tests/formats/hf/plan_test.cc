// Which tensor goes into which file, and where its rows come from.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/hf/hf.h"
#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "tests/models.h"

namespace nemo {
namespace {

using testing::Nemotron340B;

ModelConfig Small() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 8;
  config.ffn_hidden_size = 16;
  config.num_attention_heads = 6;
  config.num_query_groups = 2;
  config.kv_channels = 4;
  config.max_position_embeddings = 32;
  config.vocab_size = 50;
  config.padded_vocab_size = 56;
  return config;
}

std::vector<TensorSpec> SpecsOf(const ModelConfig& config) {
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : LogicalTensors(config).value()) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
  }
  std::sort(specs.begin(), specs.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  return specs;
}

Result<Plan> PlanOf(const ModelConfig& config, const PlanOptions& options) {
  return PlanHf(config, SpecsOf(config), options);
}

const PlannedTensor& Find(const Plan& plan, std::string_view name) {
  for (const PlannedFile& file : plan.files) {
    for (const PlannedTensor& tensor : file.tensors) {
      if (tensor.tensor.spec.name == name) return tensor;
    }
  }
  ADD_FAILURE() << name;
  return plan.files.front().tensors.front();
}

TEST(HfPlan, TakesEachHeadFromItsQueryGroup) {
  const auto plan = PlanOf(Small(), {});
  ASSERT_TRUE(plan) << plan.error().message();
  // 3 query heads of 4 rows, then key and value: blocks of 20 rows.
  const struct {
    const char* name;
    Shape shape;
    std::vector<Move> moves;
  } kCases[] = {
      {"q",
       {24, 8},
       {{"", {{0, 0}, {12, 8}}, {{0, 0}, {12, 8}}}, {"", {{20, 0}, {12, 8}}, {{12, 0}, {12, 8}}}}},
      {"k",
       {8, 8},
       {{"", {{12, 0}, {4, 8}}, {{0, 0}, {4, 8}}}, {"", {{32, 0}, {4, 8}}, {{4, 0}, {4, 8}}}}},
      {"v",
       {8, 8},
       {{"", {{16, 0}, {4, 8}}, {{0, 0}, {4, 8}}}, {"", {{36, 0}, {4, 8}}, {{4, 0}, {4, 8}}}}},
  };
  for (const auto& c : kCases) {
    const PlannedTensor& planned =
        Find(*plan, "model.layers.1.self_attn." + std::string(c.name) + "_proj.weight");
    EXPECT_EQ(planned.canonical_name, "decoder.layers.1.self_attention.linear_qkv.weight");
    EXPECT_EQ(planned.tensor.spec.shape, c.shape);
    ASSERT_EQ(planned.moves.size(), c.moves.size());
    for (size_t i = 0; i < c.moves.size(); ++i) {
      EXPECT_EQ(planned.moves[i].source_name, planned.canonical_name);
      EXPECT_EQ(planned.moves[i].source, c.moves[i].source) << c.name;
      EXPECT_EQ(planned.moves[i].target, c.moves[i].target) << c.name;
    }
  }
}

TEST(HfPlan, CoversEveryElementOnce) {
  for (const bool tied : {false, true}) {
    ModelConfig config = Small();
    config.share_embeddings_and_output_weights = tied;
    PlanOptions options;
    options.vocab = VocabRule{VocabRule::Kind::kPad, 64};
    const auto plan = PlanOf(config, options);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->config.padded_vocab_size, 64);
    int64_t moved = 0, zeros = 0;
    for (const PlannedTensor& tensor : plan->files.front().tensors) {
      std::vector<int> written(static_cast<size_t>(tensor.tensor.spec.shape[0]));
      for (const Move& move : tensor.moves) {
        (move.source_name.empty() ? zeros : moved) += NumElements(move.target);
        EXPECT_EQ(move.source.extent, move.target.extent);
        for (int64_t i = 0; i < move.target.extent[0]; ++i) {
          ++written[static_cast<size_t>(move.target.offset[0] + i)];
        }
      }
      EXPECT_EQ(std::count(written.begin(), written.end(), 1), static_cast<int64_t>(written.size()))
          << tensor.tensor.spec.name;
    }
    int64_t expected = 0;
    for (const TensorSpec& spec : SpecsOf(config)) expected += NumElements(spec.shape);
    const int64_t vocab_tensors = tied ? 1 : 2;
    EXPECT_EQ(moved, expected - vocab_tensors * 6 * 8) << "without the source's padding";
    EXPECT_EQ(zeros, vocab_tensors * 14 * 8);
  }
}

TEST(HfPlan, PrunesTheVocabularyUnlessAskedOtherwise) {
  const struct {
    int64_t vocab_size;
    std::optional<VocabRule> rule;
    int64_t rows;
  } kCases[] = {
      {50, std::nullopt, 50},
      {0, std::nullopt, 56},  // no tokenizer: nobody knows the padding
      {50, VocabRule{VocabRule::Kind::kKeep}, 56},
      {50, VocabRule{VocabRule::Kind::kMegatron}, 128},
  };
  for (const auto& c : kCases) {
    ModelConfig config = Small();
    config.vocab_size = c.vocab_size;
    PlanOptions options;
    options.vocab = c.rule;
    const auto plan = PlanOf(config, options);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->config.padded_vocab_size, c.rows);
    EXPECT_EQ(Find(*plan, "model.embed_tokens.weight").tensor.spec.shape[0], c.rows);
    EXPECT_EQ(Find(*plan, "lm_head.weight").tensor.spec.shape[0], c.rows);
  }
}

TEST(HfPlan, KeepsFilesWithinTheLimit) {
  const int64_t largest = 50 * 8 * 2;  // the vocabulary tensors
  for (const int64_t limit : {int64_t{1}, int64_t{20}, int64_t{500}, largest, int64_t{100'000}}) {
    PlanOptions options;
    options.max_shard_bytes = limit;
    const auto plan = PlanOf(Small(), options);
    ASSERT_TRUE(plan);
    int64_t num_tensors = 0;
    for (const PlannedFile& file : plan->files) {
      EXPECT_TRUE(file.size_bytes() <= limit || file.tensors.size() == 1) << file.stem;
      num_tensors += static_cast<int64_t>(file.tensors.size());
    }
    EXPECT_EQ(num_tensors, 2 * 10 + 4);
    const auto count = static_cast<int64_t>(plan->files.size());
    EXPECT_EQ(plan->files.front().stem,
              count == 1 ? "model" : Format("model-00001-of-{:05}", count));
  }
}

TEST(HfPlan, Fills340BFilesAsTransformersDoes) {
  const std::pair<int64_t, size_t> kCases[] = {{5'000'000'000, 194}, {50'000'000'000, 15}};
  for (const auto& [limit, count] : kCases) {
    PlanOptions options;
    options.max_shard_bytes = limit;
    const auto plan = PlanOf(Nemotron340B(), options);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->files.size(), count);
    EXPECT_EQ(plan->size_bytes(), 682'058'391'552);
  }
}

TEST(HfPlan, RefusesWhatADirectoryCannotBe) {
  PlanOptions ranks;
  ranks.layout.tp_size = 2;
  EXPECT_EQ(PlanOf(Small(), ranks).error().code(), StatusCode::kInvalidArgument);
  PlanOptions nothing;
  nothing.max_shard_bytes = 0;
  EXPECT_EQ(PlanOf(Small(), nothing).error().code(), StatusCode::kInvalidArgument);
  ModelConfig plain = Small();
  plain.layernorm_zero_centered_gamma = false;
  EXPECT_EQ(PlanOf(plain, {}).error().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace nemo
