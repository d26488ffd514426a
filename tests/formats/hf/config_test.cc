#include "formats/hf/config.h"

#include <string>

#include <gtest/gtest.h>

#include "libcore/base/json.h"

namespace nemo::hf {
namespace {

/// A minimal config.json with `more` fields; the last of one name counts.
std::string Text(std::initializer_list<std::pair<const char*, const char*>> more = {}) {
  Value value = ParseJson(R"({"architectures": ["NemotronForCausalLM"], "model_type": "nemotron",
    "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 16, "vocab_size": 2048})")
                    .value();
  for (const auto& [key, json] : more) value.Set(key, ParseJson(json).value());
  return ToJson(value);
}

TEST(HfConfig, ReadsSizes) {
  const auto config = ParseConfig(Text());
  ASSERT_TRUE(config) << config.error().message();
  ModelConfig expected;
  expected.num_layers = 4;
  expected.hidden_size = 64;
  expected.ffn_hidden_size = 256;
  expected.num_attention_heads = 8;
  expected.num_query_groups = 4;
  expected.kv_channels = 16;
  expected.max_position_embeddings = 4096;
  expected.vocab_size = 2048;
  expected.padded_vocab_size = 2048;
  EXPECT_EQ(ToJson(ToValue(*config)), ToJson(ToValue(expected)));
}

TEST(HfConfig, ReadsTheSpellingsOfEveryVersion) {
  const struct {
    const char* what;
    std::string text;
    double theta, factor, eps;
  } kCases[] = {
      {"nothing said", Text(), 10000, 0.5, 1e-5},
      {"transformers 4",
       Text({{"rope_theta", "50000"}, {"partial_rotary_factor", "0.25"}, {"norm_eps", "1e-6"}}),
       50000, 0.25, 1e-6},
      {"transformers 5",
       Text({{"rope_parameters",
              R"({"rope_theta": 50000.0, "partial_rotary_factor": 0.25, "rope_type": "default"})"},
             {"norm_eps", "1e-6"}}),
       50000, 0.25, 1e-6},
      {"both, agreeing",
       Text({{"rope_theta", "50000"}, {"rope_parameters", R"({"rope_theta": 50000.0})"}}), 50000,
       0.5, 1e-5},
      {"community files", Text({{"layer_norm_eps", "1e-6"}, {"rope_scaling", "null"}}), 10000, 0.5,
       1e-6},
  };
  for (const auto& c : kCases) {
    const auto config = ParseConfig(c.text);
    ASSERT_TRUE(config) << c.what << ": " << config.error().message();
    EXPECT_EQ(config->rotary_base, c.theta) << c.what;
    EXPECT_EQ(config->rotary_percent, c.factor) << c.what;
    EXPECT_EQ(config->layernorm_epsilon, c.eps) << c.what;
  }
}

TEST(HfConfig, FillsWhatIsNullAsTheClassDoes) {
  const auto config = ParseConfig(Text({{"num_key_value_heads", "null"},
                                        {"head_dim", "null"},
                                        {"architectures", "null"},
                                        {"tie_word_embeddings", "true"}}));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->num_query_groups, 8);
  EXPECT_EQ(config->kv_channels, 8);
  EXPECT_TRUE(config->share_embeddings_and_output_weights);
}

TEST(HfConfig, RefusesWhatItCannotRunOrRead) {
  const struct {
    std::string text;
    StatusCode code;
    const char* message;
  } kCases[] = {
      {Text({{"architectures", R"(["LlamaForCausalLM"])"}}), StatusCode::kUnsupported,
       "LlamaForCausalLM"},
      {Text({{"architectures", R"(["NemotronHForCausalLM"])"}}), StatusCode::kUnsupported,
       "NemotronHForCausalLM"},
      {Text({{"model_type", "\"nemotron-nas\""}}), StatusCode::kUnsupported, "nemotron-nas"},
      {Text({{"architectures", "[]"}, {"model_type", "null"}}), StatusCode::kCorruption,
       "neither architectures nor model_type"},
      {Text({{"architectures", "[1]"}}), StatusCode::kCorruption, "architectures"},
      {Text({{"hidden_act", "\"silu\""}}), StatusCode::kUnsupported, "'silu'"},
      {Text({{"attention_bias", "true"}}), StatusCode::kUnsupported, "attention_bias"},
      {Text({{"mlp_bias", "true"}}), StatusCode::kUnsupported, "mlp_bias"},
      {Text({{"quantization_config", R"({"bits": 4})"}}), StatusCode::kUnsupported,
       "quantization_config"},
      {Text({{"rope_scaling", R"({"type": "linear", "factor": 2.0})"}}), StatusCode::kUnsupported,
       "'linear'"},
      {Text({{"rope_parameters", R"({"rope_type": "yarn"})"}}), StatusCode::kUnsupported, "'yarn'"},
      {Text({{"rope_parameters", "7"}}), StatusCode::kCorruption, "rope_parameters"},
      {Text({{"rope_theta", "1e4"}, {"rope_parameters", R"({"rope_theta": 5e4})"}}),
       StatusCode::kCorruption, "in another"},
      {Text({{"num_hidden_layers", "null"}}), StatusCode::kCorruption, "num_hidden_layers"},
      {Text({{"num_hidden_layers", "0"}}), StatusCode::kCorruption, "num_hidden_layers"},
      {Text({{"num_hidden_layers", "9000000000000000000"}}), StatusCode::kCorruption, "num_layers"},
      {Text({{"num_attention_heads", "-8"}}), StatusCode::kCorruption, "num_attention_heads"},
      {Text({{"num_key_value_heads", "3"}}), StatusCode::kCorruption, "num_query_groups"},
      {Text({{"hidden_size", "\"64\""}}), StatusCode::kCorruption, "hidden_size"},
      {Text({{"intermediate_size", "[256]"}}), StatusCode::kCorruption, "intermediate_size"},
      {Text({{"vocab_size", "4e18"}}), StatusCode::kCorruption, "vocab_size"},
      {Text({{"partial_rotary_factor", "0.2"}}), StatusCode::kCorruption, "rotary_percent"},
      {Text({{"tie_word_embeddings", "1"}}), StatusCode::kCorruption, "tie_word_embeddings"},
      {"[]", StatusCode::kCorruption, "a mapping"},
      {"{", StatusCode::kCorruption, "not valid JSON"},
      {"{\"a\":" + std::string(100'000, '['), StatusCode::kCorruption, "nested deeper"},
  };
  for (const auto& c : kCases) {
    const auto config = ParseConfig(c.text);
    ASSERT_FALSE(config) << c.message;
    EXPECT_EQ(config.error().code(), c.code) << config.error().message();
    EXPECT_NE(config.error().message().find(c.message), std::string::npos)
        << config.error().message();
  }
}

TEST(HfConfig, ReadsWhatItWrites) {
  ModelConfig config = ParseConfig(Text({{"tie_word_embeddings", "true"},
                                         {"rope_theta", "12345.5"},
                                         {"max_position_embeddings", "77"}}))
                           .value();
  const auto value = ConfigValue(config, DType::kBF16, {.bos = 2, .eos = 3});
  ASSERT_TRUE(value);
  EXPECT_EQ(value->Find("pad_token_id"), nullptr);
  EXPECT_EQ(ToJson(ToValue(ParseConfig(ToJson(*value)).value())), ToJson(ToValue(config)));
}

TEST(HfConfig, WritesTorchNamesOfTypes) {
  const ModelConfig config = ParseConfig(Text()).value();
  const std::pair<DType, const char*> kNames[] = {{DType::kBF16, "bfloat16"},
                                                  {DType::kF16, "float16"},
                                                  {DType::kF32, "float32"},
                                                  {DType::kF64, "float64"}};
  for (const auto& [dtype, name] : kNames) {
    EXPECT_EQ(ConfigValue(config, dtype, {})->GetString("torch_dtype").value(), name);
  }
  EXPECT_EQ(ConfigValue(config, DType::kI8, {}).error().code(), StatusCode::kUnsupported);
}

TEST(HfConfig, KnowsThatTheClassAddsOneToItsNorms) {
  ModelConfig config = ParseConfig(Text()).value();
  EXPECT_TRUE(CheckExpressible(config).ok());
  config.layernorm_zero_centered_gamma = false;
  EXPECT_EQ(CheckExpressible(config).code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace nemo::hf
