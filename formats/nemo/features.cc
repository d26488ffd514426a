#include "formats/nemo/features.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

struct Feature {
  std::string_view key;
  std::vector<Value> known;  // values that mean what this build computes; null: also when absent
};

const std::vector<Feature>& Features() {
  static const std::vector<Feature> features = {
      {"position_embedding_type", {"rope"}},
      {"transformer_block_type", {nullptr, "pre_ln"}},
      {"attention_type", {nullptr, "multihead"}},
      {"bias", {nullptr, false}},  // absent: the weights show whether there are any
      {"add_bias_linear", {nullptr, false}},
      {"qkv_bias", {nullptr, false}},
      {"add_qkv_bias", {nullptr, false}},
      {"qk_layernorm", {nullptr, false}},
      {"num_moe_experts", {nullptr, 0, 1}},
      {"openai_gelu", {nullptr, false}},
      {"onnx_safe", {nullptr, false}},
      {"headscale", {nullptr, false}},
      {"normalize_attention_scores", {nullptr, true}},
      {"rotary_interleaved", {nullptr, false}},
      {"seq_len_interpolation_factor", {nullptr, 1, 1.0}},
      {"window_size", {nullptr}},
      {"apply_embedding_scaling", {nullptr, false}},
      {"megatron_legacy", {nullptr, false}},
      {"gated_linear_unit", {nullptr, false}},
      {"multi_latent_attention", {nullptr, false}},
      {"apply_residual_connection_post_layernorm", {nullptr, false}},
      {"softmax_scale", {nullptr}},
      {"mtp_num_layers", {nullptr, 0}},
  };
  return features;
}

}  // namespace

Status CheckFeatures(const Config& config) {
  for (const Feature& feature : Features()) {
    NEMO_ASSIGN_OR_RETURN(const Value value, config.Get(feature.key));
    if (std::find(feature.known.begin(), feature.known.end(), value) != feature.known.end())
      continue;
    std::string known;
    for (const Value& v : feature.known)
      known += Format("{}{}", known.empty() ? "" : ", ", ToJson(v));
    return Unsupported(Format("{}: {} is not supported by this build, which knows {}", feature.key,
                              ToJson(value), known));
  }
  return OkStatus();
}

}  // namespace nemo
