#include "formats/megatron/rank_names.h"

#include <gtest/gtest.h>

namespace nemo::megatron {
namespace {

TEST(RankNames, AllSpellingsBecomeMegatronCores) {
  const struct {
    const char* stored;
    const char* canonical;
  } cases[] = {
      {"model.decoder.layers.3.mlp.linear_fc1.weight", "decoder.layers.3.mlp.linear_fc1.weight"},
      {"model.module.decoder.final_layernorm.bias", "decoder.final_layernorm.bias"},
      {"module.module.embedding.word_embeddings.weight", "embedding.word_embeddings.weight"},
      {"decoder.layers.0.self_attention.linear_qkv.layer_norm_weight",
       "decoder.layers.0.self_attention.linear_qkv.layer_norm_weight"},
      {"model._orig_mod.decoder.layers.1.mlp._orig_mod.linear_fc2.weight",
       "decoder.layers.1.mlp.linear_fc2.weight"},
      // The local layer spec keeps its norms apart.
      {"model.decoder.layers.2.input_layernorm.weight",
       "decoder.layers.2.self_attention.linear_qkv.layer_norm_weight"},
      {"model.decoder.layers.2.pre_mlp_layernorm.bias",
       "decoder.layers.2.mlp.linear_fc1.layer_norm_bias"},
      // Before Megatron Core.
      {"model.language_model.embedding.word_embeddings.weight", "embedding.word_embeddings.weight"},
      {"model.language_model.encoder.layers.12.self_attention.query_key_value.weight",
       "decoder.layers.12.self_attention.linear_qkv.weight"},
      {"language_model.transformer.layers.1.attention.dense.weight",
       "decoder.layers.1.self_attention.linear_proj.weight"},
      {"language_model.encoder.layers.1.post_attention_layernorm.bias",
       "decoder.layers.1.mlp.linear_fc1.layer_norm_bias"},
      {"language_model.encoder.layers.1.mlp.dense_h_to_4h.weight",
       "decoder.layers.1.mlp.linear_fc1.weight"},
      {"language_model.encoder.layers.1.mlp.dense_4h_to_h.weight",
       "decoder.layers.1.mlp.linear_fc2.weight"},
      {"language_model.encoder.final_layernorm.weight", "decoder.final_layernorm.weight"},
      {"model.language_model.output_layer.weight", "output_layer.weight"},
      {"model.word_embeddings.weight", "output_layer.weight"},
      {"word_embeddings_for_head.weight", "output_layer.weight"},
      // A gated half and what is no layer stay what they are.
      {"encoder.layers.0.mlp.dense_h_to_4h_2.weight",
       "decoder.layers.0.mlp.dense_h_to_4h_2.weight"},
      {"model.something.else", "something.else"},
      {"decoder.layers.x.input_layernorm.weight", "decoder.layers.x.input_layernorm.weight"},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(CanonicalRankName(c.stored), c.canonical);
}

TEST(RankNames, LayerNumbersAreReadAndReplaced) {
  EXPECT_EQ(LayerOf("decoder.layers.17.mlp.linear_fc1.weight"), 17);
  EXPECT_EQ(LayerOf("decoder.final_layernorm.weight"), -1);
  EXPECT_EQ(LayerOf("decoder.layers.-1.mlp"), -1);
  EXPECT_EQ(LayerOf("decoder.layers.9223372036854775807.mlp"), -1);
  EXPECT_EQ(LayerOf("decoder.layers.5"), -1);
  EXPECT_EQ(WithLayer("decoder.layers.17.mlp.linear_fc1.weight", 3),
            "decoder.layers.3.mlp.linear_fc1.weight");
  EXPECT_EQ(WithLayer("output_layer.weight", 3), "output_layer.weight");
}

}  // namespace
}  // namespace nemo::megatron
