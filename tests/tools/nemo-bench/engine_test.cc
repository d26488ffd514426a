#include <cmath>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "kernels/reference/backend.h"
#include "kernels/registry.h"
#include "tools/nemo-bench/engine/engine_bench.h"
#include "tools/nemo-bench/engine/few_shot.h"
#include "tools/nemo-bench/engine/synthetic_source.h"

namespace nemo {
namespace {

ModelConfig TinyConfig() {
  ModelConfig config;
  config.num_layers = 4;
  config.hidden_size = 64;
  config.ffn_hidden_size = 128;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 16;
  config.max_position_embeddings = 256;
  config.vocab_size = 640;
  config.padded_vocab_size = 640;
  return config;
}

/// Logits of a few tokens on rank threads of `layout`, through a backend.
std::vector<float> LogitsOn(const std::string& backend_name, const ParallelLayout& layout) {
  const ModelConfig config = TinyConfig();
  const auto source = SyntheticSource::Create(config);
  EXPECT_TRUE(source.has_value());
  std::vector<float> logits;
  const Status status =
      RunRanks(static_cast<int>(layout.world_size()), [&](Communicator& world) -> Status {
        NEMO_ASSIGN_OR_RETURN(const auto backend, CreateBackend(backend_name, {1, "auto"}));
        NEMO_ASSIGN_OR_RETURN(
            RankWeights weights,
            LoadWeights(**source, config, layout, world.rank(), *backend, 1, NullProgress()));
        NEMO_ASSIGN_OR_RETURN(
            const auto engine,
            Engine::Create(config, layout, OptionsFor({.prefill_chunk = 8}, 8, 1, 0),
                           std::move(weights), *backend, world));
        NEMO_ASSIGN_OR_RETURN(std::vector<float> mine, LogitsOf(*engine, 3));
        if (world.rank() == engine->last_stage_root()) logits = std::move(mine);
        return OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status.message();
  return logits;
}

TEST(Synthetic, IsTheSameModelOnEveryLayoutAndBackend) {
  const std::vector<float> reference = LogitsOn("reference", {});
  ASSERT_EQ(reference.size(), 3u * 640u);
  const LogitsDifference one = CompareLogits(LogitsOn("cpu", {}), reference, 640);
  EXPECT_EQ(one.num_different, 0);
  EXPECT_EQ(one.relative_rms, 0);
  ParallelLayout layout;
  layout.tp_size = layout.pp_size = 2;
  EXPECT_EQ(CompareLogits(LogitsOn("cpu", layout), reference, 640).num_different, 0);
}

TEST(Synthetic, ReadsBoxesOfTheSameNumbers) {
  const auto source = SyntheticSource::Create(TinyConfig());
  ASSERT_TRUE(source.has_value());
  const char* name = "decoder.layers.1.mlp.linear_fc1.weight";  // [128, 64]
  std::vector<BF16> whole(128 * 64), box(3 * 5);
  ASSERT_TRUE(
      (*source)->Read(name, Box::Whole({128, 64}), std::as_writable_bytes(std::span(whole))).ok());
  ASSERT_TRUE(
      (*source)->Read(name, {{7, 11}, {3, 5}}, std::as_writable_bytes(std::span(box))).ok());
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t column = 0; column < 5; ++column) {
      EXPECT_EQ(box[row * 5 + column], whole[(7 + row) * 64 + 11 + column]);
    }
  }
  std::vector<BF16> norm(64, 1);
  ASSERT_TRUE((*source)
                  ->Read("decoder.final_layernorm.weight", Box::Whole({64}),
                         std::as_writable_bytes(std::span(norm)))
                  .ok());
  EXPECT_EQ(norm, std::vector<BF16>(64, 0)) << "1 is added to a zero-centered gamma";
  EXPECT_EQ((*source)->Read("no such tensor", {}, {}).code(), StatusCode::kNotFound);
}

TEST(Synthetic, FirstLayersTakeTheirShareOfTheVocabulary) {
  ModelConfig config = TinyConfig();
  const auto one = FirstLayers(config, 1);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->num_layers, 1);
  EXPECT_EQ(one->vocab_size, 160);
  EXPECT_EQ(one->padded_vocab_size, 256);
  EXPECT_TRUE(CheckConfig(*one).ok());
  EXPECT_EQ(FirstLayers(config, 5).error().code(), StatusCode::kInvalidArgument);
}

TEST(EngineBench, HasOneTimeForEachRun) {
  const ModelConfig config = TinyConfig();
  const auto source = SyntheticSource::Create(config);
  ASSERT_TRUE(source.has_value());
  const auto backend = CreateBackend("cpu", {1, "auto"});
  ASSERT_TRUE(backend.has_value());
  const auto world = MakeSelf();
  const ParallelLayout layout;
  auto weights = LoadWeights(**source, config, layout, 0, **backend, 1, NullProgress());
  ASSERT_TRUE(weights.has_value());
  const EngineBenchOptions options = {.prefill_chunk = 100, .texts = 5};
  const auto engine = Engine::Create(config, layout, OptionsFor(options, 140, 3, 7),
                                     *std::move(weights), **backend, *world);
  ASSERT_TRUE(engine.has_value()) << engine.error().message();
  const auto prompt = MeasurePrefill(**engine, options, 140, 2);
  ASSERT_TRUE(prompt.has_value()) << prompt.error().message();
  EXPECT_EQ(prompt->wall.size(), 2u);
  EXPECT_EQ(prompt->cpu.size(), 2u);
  const auto steps = MeasureDecode(**engine, options, 3, 7);
  ASSERT_TRUE(steps.has_value()) << steps.error().message();
  EXPECT_EQ(steps->wall.size(), 7u);
  const auto texts = MeasureScoring(**engine, options, 3);
  ASSERT_TRUE(texts.has_value()) << texts.error().message();
  EXPECT_EQ(texts->wall.size(), 3u);
  // All pages were given back: the next one fits again.
  EXPECT_TRUE(MeasureDecode(**engine, options, 3, 7).has_value());
}

TEST(EngineBench, CountsTheWorkOfAModel) {
  // Parameters of a layer: 64 * (2*64 + 2*32 + 2*128) = 28672, of four: 114688; head: 40960.
  const ModelConfig config = TinyConfig();
  const Work decode = DecodeWork(config, 1, 0);
  EXPECT_EQ(decode.read_bytes, 2 * (114688 + 40960));
  EXPECT_EQ(decode.flops, 2 * (114688 + 40960));
  EXPECT_EQ(decode.write_bytes, 4 * 2 * 2 * 16 * 2);  // layers, K and V, groups, channels, bytes
  const Work prefill = PrefillWork(config, 10, 4);
  // Attention: 10 * 11 / 2 pairs, two products and sums for each of 64 channels in 4 layers.
  EXPECT_EQ(prefill.flops, 2 * (114688.0 * 10 + 40960) + 55 * 4 * 64 * 4);
  // Three chunks read the layers, the last one the head.
  EXPECT_EQ(prefill.read_bytes, 2 * (114688.0 * 3 + 40960) + 512.0 * 10);
  // Every token of a text is scored; steps are filled up.
  const auto n = static_cast<double>(TokensOfText(0));
  const Work scoring = ScoringWork(config, {.prefill_chunk = 256, .texts = 1});
  EXPECT_EQ(scoring.flops, 2 * n * (114688 + 40960) + n * (n + 1) / 2 * 4 * 64 * 4);
  EXPECT_EQ(scoring.read_bytes, 2 * (114688 + 40960));
}

TEST(EngineBench, TextsAreOfAllLengthsFrom64To256) {
  double sum = 0;
  for (int64_t text = 0; text < 1000; ++text) {
    EXPECT_GE(TokensOfText(text), kShortestText);
    EXPECT_LE(TokensOfText(text), kLongestText);
    sum += static_cast<double>(TokensOfText(text)) / 1000;
  }
  EXPECT_NEAR(sum, 160, 3);
}

TEST(FewShot, CountsAHeadOncePerSubject) {
  const ModelConfig config = TinyConfig();
  const auto flops = [&](int64_t questions) {
    return FewShotWork(config, {.questions = questions}).flops;
  };
  const double head = PrefillWork(config, kHeadTokens, 512).flops;
  const double question = PrefillWork(config, kHeadTokens + kQuestionTokens, 512).flops - head;
  EXPECT_NEAR(flops(1), head + question, 1e-9 * flops(1));
  EXPECT_NEAR(flops(16), head + 16 * question, 1e-9 * flops(16));
  EXPECT_NEAR(flops(17), 2 * head + 17 * question, 1e-9 * flops(17));
}

TEST(CompareLogits, SeesWhatDiffers) {
  const std::vector<float> expected = {1, 2, 4, 3};
  const LogitsDifference same = CompareLogits(expected, expected, 2);
  EXPECT_EQ(same.num_different, 0);
  EXPECT_EQ(same.largest, 0);
  const LogitsDifference other = CompareLogits(std::vector<float>{1, 2, 2, 3}, expected, 2);
  EXPECT_EQ(other.num_different, 1);
  EXPECT_EQ(other.num_argmax_different, 1);
  EXPECT_DOUBLE_EQ(other.largest, 0.5);
  EXPECT_DOUBLE_EQ(other.relative_rms, std::sqrt(4.0 / 30.0));
  EXPECT_TRUE(std::isnan(CompareLogits(std::vector<float>{NAN, 2, 4, 3}, expected, 2).largest));
}

}  // namespace
}  // namespace nemo
