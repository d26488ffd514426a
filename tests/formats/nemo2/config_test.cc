#include "formats/nemo2/config.h"

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "tests/formats/nemo2/model_yaml.h"

namespace nemo {
namespace {

using testing::Changed;
using testing::kMicroYaml;

TEST(Nemo2Config, ReadsTheFieldsOfMegatronCore) {
  const auto config = ParseNemo2Config(kMicroYaml);
  ASSERT_TRUE(config) << config.error().message();
  ModelConfig expected;
  expected.num_layers = 2;
  expected.hidden_size = 32;
  expected.ffn_hidden_size = 64;
  expected.num_attention_heads = 4;
  expected.num_query_groups = 2;
  expected.kv_channels = 8;
  expected.max_position_embeddings = 512;
  EXPECT_EQ(ToJson(ToValue(config->model)), ToJson(ToValue(expected)));
  EXPECT_EQ(config->layout, (ParallelLayout{2, 1}));
  EXPECT_EQ(config->tokenizer, "SentencePieceTokenizer");
  EXPECT_EQ(config->tokenizer_path, "tokenizer.model");
}

TEST(Nemo2Config, NullFieldsFollowFromTheOthers) {
  const auto groups = ParseNemo2Config(Changed("num_query_groups: 2", "num_query_groups: null"));
  ASSERT_TRUE(groups) << groups.error().message();
  EXPECT_EQ(groups->model.num_query_groups, 4);
  const auto heads = ParseNemo2Config(Changed("kv_channels: 8", "kv_channels: null"));
  ASSERT_TRUE(heads) << heads.error().message();
  EXPECT_EQ(heads->model.kv_channels, 8);
}

TEST(Nemo2Config, ActivationsAreFunctionsByTheirPathOrNode) {
  const std::string node =
      "activation_func:\n    _call_: false\n    _target_: "
      "nemo.collections.llm.fn.activation.squared_relu\n";
  for (const char* text : {"activation_func: megatron.core.activations.squared_relu\n",
                           "activation_func:\n    _target_: squared_relu\n"}) {
    const auto config = ParseNemo2Config(Changed(node, text));
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->model.activation, "squared_relu");
  }
}

TEST(Nemo2Config, RefusalsNameTheField) {
  const struct {
    const char* from;
    const char* to;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"config:\n", "other:\n", StatusCode::kCorruption, "under 'config:', found none"},
      {"num_layers: 2", "a: 2", StatusCode::kCorruption, "num_layers is missing"},
      {"hidden_size: 32", "hidden_size: many", StatusCode::kCorruption, "is 'many'"},
      {"rotary_percent: 0.5", "a: 1", StatusCode::kCorruption, "rotary_percent is missing"},
      {"share_embeddings_and_output_weights: false", "a: 1", StatusCode::kCorruption,
       "share_embeddings_and_output_weights is missing"},
      {"layernorm_zero_centered_gamma: true", "a: 1", StatusCode::kCorruption,
       "layernorm_zero_centered_gamma is missing"},
      {"normalization: LayerNorm", "normalization: RMSNorm", StatusCode::kUnsupported, "'RMSNorm'"},
      {"activation.squared_relu", "activation.gelu", StatusCode::kUnsupported, "activation.gelu'"},
      {"add_bias_linear: false", "add_bias_linear: true", StatusCode::kUnsupported,
       "add_bias_linear: true"},
      {"add_bias_linear: false", "gated_linear_unit: true", StatusCode::kUnsupported,
       "gated_linear_unit: true"},
      {"position_embedding_type: rope", "position_embedding_type: learned_absolute",
       StatusCode::kUnsupported, "position_embedding_type"},
      {"tensor_model_parallel_size: 2", "tensor_model_parallel_size: 0", StatusCode::kCorruption,
       "tensor_model_parallel_size is 0"},
      {"config:", "config: [", StatusCode::kCorruption, "YAML"},
  };
  for (const auto& c : cases) {
    const auto config = ParseNemo2Config(Changed(c.from, c.to));
    ASSERT_FALSE(config) << c.words;
    EXPECT_EQ(config.error().code(), c.code) << config.error().message();
    EXPECT_NE(config.error().message().find(c.words), std::string::npos)
        << config.error().message();
  }
}

}  // namespace
}  // namespace nemo
