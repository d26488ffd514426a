#include "formats/nemo/names.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

ModelConfig Micro() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 8;
  config.ffn_hidden_size = 32;
  config.num_attention_heads = 2;
  config.num_query_groups = 1;
  config.kv_channels = 4;
  config.max_position_embeddings = 16;
  config.padded_vocab_size = 128;
  return config;
}

using Specs = std::vector<TensorSpec>;

Specs Sorted(Specs specs) {
  std::sort(specs.begin(), specs.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  return specs;
}

/// What Megatron stores for Micro() under `prefix`.
Specs Stored(const std::string& prefix, bool stacked) {
  Specs specs = {{prefix + "embedding.word_embeddings.weight", DType::kBF16, {128, 8}},
                 {prefix + "decoder.final_layernorm.weight", DType::kBF16, {8}},
                 {prefix + "decoder.final_layernorm.bias", DType::kBF16, {8}},
                 {prefix + "output_layer.weight", DType::kBF16, {128, 8}}};
  const TensorSpec layer[] = {
      {"self_attention.linear_qkv.layer_norm_weight", DType::kBF16, {8}},
      {"self_attention.linear_qkv.layer_norm_bias", DType::kBF16, {8}},
      {"self_attention.linear_qkv.weight", DType::kBF16, {16, 8}},
      {"self_attention.linear_proj.weight", DType::kBF16, {8, 8}},
      {"mlp.linear_fc1.layer_norm_weight", DType::kBF16, {8}},
      {"mlp.linear_fc1.layer_norm_bias", DType::kBF16, {8}},
      {"mlp.linear_fc1.weight", DType::kBF16, {32, 8}},
      {"mlp.linear_fc2.weight", DType::kBF16, {8, 32}},
  };
  for (const TensorSpec& t : layer) {
    Shape shape = t.shape;
    if (stacked) {
      shape.insert(shape.begin(), 2);
      specs.push_back({Format("{}decoder.layers.{}", prefix, t.name), t.dtype, shape});
    }
    for (int i = 0; i < 2 && !stacked; ++i) {
      specs.push_back({Format("{}decoder.layers.{}.{}", prefix, i, t.name), t.dtype, shape});
    }
  }
  return Sorted(std::move(specs));
}

TEST(NemoNames, PrefixesAreDetected) {
  for (const char* prefix : {"", "model.", "module.", "module.module."}) {
    EXPECT_EQ(*DetectPrefix(Stored(prefix, true)), prefix);
  }
  Specs with_optimizer = Stored("model.", true);
  with_optimizer.push_back(
      {"optimizer.state.exp_avg.model.decoder.final_layernorm.weight", DType::kF32, {8}});
  EXPECT_EQ(*DetectPrefix(with_optimizer), "model.");
  EXPECT_FALSE(DetectPrefix({}));
  Specs two = Stored("a.", true);
  for (const TensorSpec& spec : Stored("b.", true)) two.push_back(spec);
  EXPECT_FALSE(DetectPrefix(two));
}

TEST(NemoNames, StackedAndSingleLayersMapToTheSameNames) {
  const auto stacked = MapNames(Micro(), Stored("model.", true), "model.");
  const auto single = MapNames(Micro(), Stored("", false), "");
  ASSERT_TRUE(stacked) << stacked.error().message();
  ASSERT_TRUE(single) << single.error().message();
  EXPECT_EQ(stacked->canonical, single->canonical);
  EXPECT_EQ(stacked->canonical.size(), 2u * 8 + 4);

  const char* name = "decoder.layers.1.mlp.linear_fc1.weight";
  const NamePiece& a = stacked->map.Find(name)->front();
  EXPECT_EQ(a.stored_name, "model.decoder.layers.mlp.linear_fc1.weight");
  EXPECT_EQ(a.stored, (Box{{1, 0, 0}, {1, 32, 8}}));
  EXPECT_EQ(a.canonical, Box::Whole({32, 8}));
  const NamePiece& b = single->map.Find(name)->front();
  EXPECT_EQ(b.stored_name, name);
  EXPECT_EQ(b.stored, Box::Whole({32, 8}));
}

TEST(NemoNames, TiedModelsNeedNoOutputLayer) {
  ModelConfig config = Micro();
  config.share_embeddings_and_output_weights = true;
  Specs stored = Stored("model.", true);
  const auto with_copy = MapNames(config, stored, "model.");
  ASSERT_TRUE(with_copy) << with_copy.error().message();
  std::erase_if(stored,
                [](const TensorSpec& spec) { return spec.name == "model.output_layer.weight"; });
  const auto without = MapNames(config, stored, "model.");
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_EQ(with_copy->canonical, without->canonical);
}

TEST(NemoNames, EveryMissingTensorIsNamed) {
  for (const bool stacked : {true, false}) {
    const Specs whole = Stored("model.", stacked);
    for (size_t i = 0; i < whole.size(); ++i) {
      Specs stored = whole;
      stored.erase(stored.begin() + static_cast<int64_t>(i));
      const auto names = MapNames(Micro(), stored, "model.");
      ASSERT_FALSE(names) << whole[i].name;
      EXPECT_EQ(names.error().code(), StatusCode::kCorruption);
      // A stacked array that is gone shows as its first layer.
      const size_t layers = whole[i].name.find("layers.");
      const size_t begin = stacked && layers != std::string::npos ? layers + 7 : 0;
      EXPECT_NE(names.error().message().find(whole[i].name.substr(begin)), std::string::npos)
          << names.error().message();
    }
  }
}

TEST(NemoNames, ShapesThatContradictTheConfigAreNamed) {
  const Specs whole = Stored("", true);
  for (size_t i = 0; i < whole.size(); ++i) {
    Specs stored = whole;
    stored[i].shape.back() += 1;
    const auto names = MapNames(Micro(), stored, "");
    ASSERT_FALSE(names) << whole[i].name;
    EXPECT_NE(names.error().message().find(whole[i].name), std::string::npos)
        << names.error().message();
  }
}

TEST(NemoNames, TheNumberOfLayersMustAgree) {
  for (const bool stacked : {true, false}) {
    for (const int64_t num_layers : {1, 3, 99'999}) {
      ModelConfig config = Micro();
      config.num_layers = num_layers;
      const auto names = MapNames(config, Stored("", stacked), "");
      ASSERT_FALSE(names);
      EXPECT_NE(names.error().message().find("2 layers"), std::string::npos)
          << names.error().message();
    }
  }
}

TEST(NemoNames, WeightsWithoutAPlaceAreRefused) {
  for (const char* extra :
       {"decoder.layers.mlp.linear_fc1.bias", "embedding.position_embeddings.weight",
        "decoder.layers.self_attention.q_layernorm.weight"}) {
    Specs stored = Stored("", true);
    stored.push_back({extra, DType::kBF16, {2, 8}});
    const auto names = MapNames(Micro(), Sorted(stored), "");
    ASSERT_FALSE(names) << extra;
    EXPECT_EQ(names.error().code(), StatusCode::kUnsupported);
    EXPECT_NE(names.error().message().find(extra), std::string::npos) << names.error().message();
  }
  for (const char* extra : {"optimizer.state.exp_avg.decoder.final_layernorm.weight",
                            "decoder.rotary_pos_emb.inv_freq", "rng_state"}) {
    Specs stored = Stored("", true);
    stored.push_back({extra, DType::kF32, {8}});
    const auto names = MapNames(Micro(), Sorted(stored), "");
    EXPECT_TRUE(names) << names.error().message();
  }
}

}  // namespace
}  // namespace nemo
