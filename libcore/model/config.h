// ModelConfig: the hyperparameters of a Megatron GPT, in Megatron Core's field names
// (megatron/core/transformer/transformer_config.py and gpt_model.py).
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

struct ModelConfig {
  std::string architecture = "nemotron";  ///< a row of libcore/model/registry.cc
  int64_t num_layers = 0;
  int64_t hidden_size = 0;
  int64_t ffn_hidden_size = 0;
  int64_t num_attention_heads = 0;
  int64_t num_query_groups = 0;  ///< equal to num_attention_heads without grouped queries
  int64_t kv_channels = 0;       ///< dimension of one head; need not be hidden_size / heads
  int64_t max_position_embeddings = 0;
  int64_t vocab_size = 0;         ///< the tokenizer's pieces; 0: not known
  int64_t padded_vocab_size = 0;  ///< rows of the stored embedding
  int64_t make_vocab_size_divisible_by = 128;
  double rotary_percent = 0.5;
  double rotary_base = 10000.0;
  double layernorm_epsilon = 1e-5;
  bool layernorm_zero_centered_gamma = true;
  bool share_embeddings_and_output_weights = false;
  std::string activation = "squared_relu";
  std::string normalization = "layernorm";

  bool operator==(const ModelConfig&) const = default;
};

/// Every field is in range and they agree with one another. kCorruption names field, value and what
/// is legal.
Status CheckConfig(const ModelConfig& config);

/// Field names as above, in order; the form of `nemo-inspect --json` and of the manifest.
Value ToValue(const ModelConfig& config);
/// Inverse of ToValue. kCorruption: a field absent or of another type.
Result<ModelConfig> ConfigFromValue(const Value& value);

}  // namespace nemo
