#include "formats/nemo/config.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// A small config with `lines` after it; later lines must not repeat a key, so name the keys to
/// leave out.
std::string Yaml(const std::string& lines, const std::vector<std::string>& without = {}) {
  std::string text;
  for (const char* line :
       {"num_layers: 2", "hidden_size: 32", "ffn_hidden_size: 64", "num_attention_heads: 4",
        "num_query_groups: 2", "kv_channels: 8", "max_position_embeddings: 512",
        "encoder_seq_length: 256", "normalization: layernorm1p", "activation: squared-relu",
        "position_embedding_type: rope", "rotary_percentage: 0.5", "bias: false",
        "share_embeddings_and_output_weights: false", "layernorm_epsilon: 1.0e-05"}) {
    bool keep = true;
    for (const std::string& key : without) keep &= !std::string_view(line).starts_with(key + ":");
    if (keep) text += Format("{}\n", line);
  }
  return text + lines;
}

TEST(NemoConfig, TranslatesNeMosSpellings) {
  const auto config = ParseNemoConfig(
      Yaml("rotary_base: 50000\ntensor_model_parallel_size: 8\n"
           "pipeline_model_parallel_size: 4\n"
           "virtual_pipeline_model_parallel_size: 12\n"
           "tokenizer: {model: 'nemo:a.model', tokenizer_model: 'nemo:b.model'}\n"));
  ASSERT_TRUE(config) << config.error().message();
  ModelConfig expected;
  expected.num_layers = 2;
  expected.hidden_size = 32;
  expected.ffn_hidden_size = 64;
  expected.num_attention_heads = 4;
  expected.num_query_groups = 2;
  expected.kv_channels = 8;
  expected.max_position_embeddings = 512;
  expected.rotary_base = 50000;
  EXPECT_EQ(config->model, expected);
  EXPECT_EQ(config->layout, (ParallelLayout{8, 4, 12}));
  EXPECT_EQ(config->tokenizer_references,
            (std::vector<std::string>{"nemo:b.model", "nemo:a.model"}));
}

TEST(NemoConfig, FieldsLeftOutHaveNeMosDefaults) {
  const auto config = ParseNemoConfig(Yaml(
      "num_query_groups: null\nkv_channels: null\nffn_hidden_size: ${multiply:4, ${.hidden_size}}\n"
      "virtual_pipeline_model_parallel_size: null\n",
      {"num_query_groups", "kv_channels", "ffn_hidden_size", "rotary_percentage", "bias",
       "max_position_embeddings", "share_embeddings_and_output_weights", "layernorm_epsilon"}));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->model.num_query_groups, 4);
  EXPECT_EQ(config->model.kv_channels, 8);
  EXPECT_EQ(config->model.ffn_hidden_size, 128);
  EXPECT_EQ(config->model.max_position_embeddings, 256);
  EXPECT_EQ(config->model.rotary_percent, 1.0);
  EXPECT_EQ(config->model.rotary_base, 10000.0);
  EXPECT_EQ(config->model.layernorm_epsilon, 1e-5);
  EXPECT_TRUE(config->model.share_embeddings_and_output_weights);
  EXPECT_EQ(config->layout, ParallelLayout());
  EXPECT_TRUE(config->tokenizer_references.empty());
}

TEST(NemoConfig, TheModelPartOfATrainingConfigIsUsedAlone) {
  for (const char* part : {"model", "cfg"}) {
    std::string text = Format("trainer: {{devices: 8}}\nnum_layers: 77\n{}:\n", part);
    const std::string inner = Yaml("");
    for (size_t at = 0; at < inner.size();) {
      const size_t end = inner.find('\n', at) + 1;
      text += "  " + inner.substr(at, end - at);
      at = end;
    }
    const auto config = ParseNemoConfig(text);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->model.num_layers, 2);
  }
}

TEST(NemoConfig, LayerNormSpellings) {
  const struct {
    const char* lines;
    bool zero_centered;
  } cases[] = {{"normalization: layernorm1p\n", true},
               {"normalization: layernorm1p\nlayernorm_zero_centered_gamma: true\n", true},
               {"normalization: layernorm\nlayernorm_zero_centered_gamma: true\n", true},
               {"normalization: layernorm\n", false},
               {"", false}};
  for (const auto& c : cases) {
    const auto config = ParseNemoConfig(Yaml(c.lines, {"normalization"}));
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->model.layernorm_zero_centered_gamma, c.zero_centered) << c.lines;
  }
}

TEST(NemoConfig, WhatThisBuildDoesNotComputeIsRefusedByName) {
  for (const char* line :
       {"normalization: rmsnorm", "activation: swiglu", "activation: fast-swiglu",
        "activation: gelu", "bias: true", "add_qkv_bias: true",
        "position_embedding_type: learned_absolute", "position_embedding_type: alibi",
        "transformer_block_type: post_ln", "attention_type: multiquery", "num_moe_experts: 8",
        "qk_layernorm: true", "openai_gelu: true", "headscale: true",
        "normalize_attention_scores: false", "rotary_interleaved: true",
        "seq_len_interpolation_factor: 2.0", "window_size: [128, 0]", "megatron_legacy: true"}) {
    const std::string key = std::string(line).substr(0, std::string(line).find(':'));
    const auto config = ParseNemoConfig(Yaml(std::string(line) + "\n", {key}));
    ASSERT_FALSE(config) << line;
    EXPECT_EQ(config.error().code(), StatusCode::kUnsupported) << line;
    EXPECT_NE(config.error().message().find(key), std::string::npos) << config.error().message();
  }
}

TEST(NemoConfig, BrokenFieldsAreNamed) {
  const struct {
    const char* line;
    const char* words;
  } cases[] = {
      {"num_layers: null", "num_layers is missing"},
      {"num_layers: [2]", "num_layers is list"},
      {"hidden_size: many", "hidden_size is 'many'"},
      {"hidden_size: 0", "hidden_size is 0"},
      {"num_attention_heads: -4", "num_attention_heads -4"},
      {"num_attention_heads: 4.5", "num_attention_heads is 4.5"},
      {"hidden_size: 99999999999999", "hidden_size is 99999999999999"},
      {"rotary_percentage: half", "rotary_percentage is 'half'"},
      {"activation: 7", "activation is 7"},
      {"tensor_model_parallel_size: 0", "tensor_model_parallel_size is 0"},
      {"ffn_hidden_size: ${multiply:4, ${.hiden_size}}", "ffn_hidden_size: "},
      {"tokenizer: {model: [1]}", "tokenizer.model is list"},
  };
  for (const auto& c : cases) {
    const std::string key = std::string(c.line).substr(0, std::string(c.line).find(':'));
    const auto config = ParseNemoConfig(Yaml(std::string(c.line) + "\n", {key}));
    ASSERT_FALSE(config) << c.line;
    EXPECT_EQ(config.error().code(), StatusCode::kCorruption) << c.line;
    EXPECT_NE(config.error().message().find(c.words), std::string::npos)
        << config.error().message();
  }
  for (const char* text : {"", "- a list", "just text", "a: [", "a: 1\na: 2\n"}) {
    const auto config = ParseNemoConfig(text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code(), StatusCode::kCorruption) << text;
  }
}

}  // namespace
}  // namespace nemo
