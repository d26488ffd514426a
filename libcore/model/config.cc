#include "libcore/model/config.h"

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kMaxLayers = 100'000;
constexpr int64_t kMaxWidth = int64_t{1} << 31;

Status InRange(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return OkStatus();
  return Corruption(Format("{} is {}, expected {}..{}", field, value, low, high));
}

Status CheckRanges(const ModelConfig& c) {
  NEMO_RETURN_IF_ERROR(InRange("num_layers", c.num_layers, 1, kMaxLayers));
  NEMO_RETURN_IF_ERROR(InRange("hidden_size", c.hidden_size, 1, kMaxWidth));
  NEMO_RETURN_IF_ERROR(InRange("ffn_hidden_size", c.ffn_hidden_size, 1, kMaxWidth));
  NEMO_RETURN_IF_ERROR(InRange("num_attention_heads", c.num_attention_heads, 1, 1 << 20));
  NEMO_RETURN_IF_ERROR(InRange("num_query_groups", c.num_query_groups, 1, c.num_attention_heads));
  NEMO_RETURN_IF_ERROR(InRange("kv_channels", c.kv_channels, 1, 1 << 20));
  NEMO_RETURN_IF_ERROR(InRange("max_position_embeddings", c.max_position_embeddings, 1, kMaxWidth));
  NEMO_RETURN_IF_ERROR(InRange("vocab_size", c.vocab_size, 0, kMaxWidth));
  NEMO_RETURN_IF_ERROR(InRange("padded_vocab_size", c.padded_vocab_size, 1, kMaxWidth));
  return InRange("make_vocab_size_divisible_by", c.make_vocab_size_divisible_by, 1, kMaxWidth);
}

}  // namespace

Status CheckConfig(const ModelConfig& c) {
  NEMO_RETURN_IF_ERROR(CheckRanges(c));
  if (c.num_attention_heads % c.num_query_groups != 0) {
    return Corruption(Format("num_query_groups {} does not divide num_attention_heads {}",
                             c.num_query_groups, c.num_attention_heads));
  }
  if (c.vocab_size > c.padded_vocab_size) {
    return Corruption(
        Format("the tokenizer has {} pieces, and the embedding only {} rows; this is not the "
               "tokenizer the model was trained with",
               c.vocab_size, c.padded_vocab_size));
  }
  const double rotary_dim = static_cast<double>(c.kv_channels) * c.rotary_percent;
  if (!(c.rotary_percent > 0 && c.rotary_percent <= 1) ||
      std::llround(std::floor(rotary_dim)) % 2 != 0 || rotary_dim < 2) {
    return Corruption(
        Format("rotary_percent {} of kv_channels {} is not a positive even number of "
               "dimensions",
               c.rotary_percent, c.kv_channels));
  }
  if (!(c.rotary_base > 1) || !std::isfinite(c.rotary_base)) {
    return Corruption(Format("rotary_base is {}, expected a number above 1", c.rotary_base));
  }
  if (!(c.layernorm_epsilon > 0) || !std::isfinite(c.layernorm_epsilon)) {
    return Corruption(
        Format("layernorm_epsilon is {}, expected a positive number", c.layernorm_epsilon));
  }
  return OkStatus();
}

Value ToValue(const ModelConfig& c) {
  return Value(
      Value::Object{{"architecture", c.architecture},
                    {"num_layers", c.num_layers},
                    {"hidden_size", c.hidden_size},
                    {"ffn_hidden_size", c.ffn_hidden_size},
                    {"num_attention_heads", c.num_attention_heads},
                    {"num_query_groups", c.num_query_groups},
                    {"kv_channels", c.kv_channels},
                    {"max_position_embeddings", c.max_position_embeddings},
                    {"vocab_size", c.vocab_size},
                    {"padded_vocab_size", c.padded_vocab_size},
                    {"make_vocab_size_divisible_by", c.make_vocab_size_divisible_by},
                    {"rotary_percent", c.rotary_percent},
                    {"rotary_base", c.rotary_base},
                    {"layernorm_epsilon", c.layernorm_epsilon},
                    {"layernorm_zero_centered_gamma", c.layernorm_zero_centered_gamma},
                    {"share_embeddings_and_output_weights", c.share_embeddings_and_output_weights},
                    {"activation", c.activation},
                    {"normalization", c.normalization}});
}

Result<ModelConfig> ConfigFromValue(const Value& v) {
  ModelConfig c;
  NEMO_ASSIGN_OR_RETURN(c.architecture, v.GetString("architecture"));
  for (const auto& [key, field] : std::initializer_list<std::pair<const char*, int64_t*>>{
           {"num_layers", &c.num_layers},
           {"hidden_size", &c.hidden_size},
           {"ffn_hidden_size", &c.ffn_hidden_size},
           {"num_attention_heads", &c.num_attention_heads},
           {"num_query_groups", &c.num_query_groups},
           {"kv_channels", &c.kv_channels},
           {"max_position_embeddings", &c.max_position_embeddings},
           {"vocab_size", &c.vocab_size},
           {"padded_vocab_size", &c.padded_vocab_size},
           {"make_vocab_size_divisible_by", &c.make_vocab_size_divisible_by}}) {
    NEMO_ASSIGN_OR_RETURN(*field, v.GetInt(key));
  }
  NEMO_ASSIGN_OR_RETURN(c.rotary_percent, v.GetDouble("rotary_percent"));
  NEMO_ASSIGN_OR_RETURN(c.rotary_base, v.GetDouble("rotary_base"));
  NEMO_ASSIGN_OR_RETURN(c.layernorm_epsilon, v.GetDouble("layernorm_epsilon"));
  NEMO_ASSIGN_OR_RETURN(c.layernorm_zero_centered_gamma,
                        v.GetBool("layernorm_zero_centered_gamma"));
  NEMO_ASSIGN_OR_RETURN(c.share_embeddings_and_output_weights,
                        v.GetBool("share_embeddings_and_output_weights"));
  NEMO_ASSIGN_OR_RETURN(c.activation, v.GetString("activation"));
  NEMO_ASSIGN_OR_RETURN(c.normalization, v.GetString("normalization"));
  return c;
}

}  // namespace nemo
