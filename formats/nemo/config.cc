#include "formats/nemo/config.h"

#include <utility>

#include "formats/nemo/features.h"
#include "formats/nemo/omegaconf.h"
#include "libcore/base/format.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

Result<Config> ParseRoot(std::string_view yaml_text) {
  NEMO_ASSIGN_OR_RETURN(Value root, ParseYaml(yaml_text));
  if (!root.is_object()) {
    return Corruption(Format("expected a mapping of fields, found {}", root.type_name()));
  }
  for (const char* part : {"model", "cfg"}) {
    const Value* subtree = root.Find(part);
    if (subtree != nullptr && subtree->is_object()) return Config(std::move(root), part);
  }
  return Config(std::move(root), "");
}

/// An integer that must be there.
Result<int64_t> RequiredInt(const Config& config, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const Value value, config.Get(key));
  if (value.is_null()) return Corruption(Format("{} is missing", key));
  return config.GetInt(key, 0);
}

/// An integer above zero; `fallback` when absent or null.
Result<int64_t> PositiveInt(const Config& config, std::string_view key, int64_t fallback) {
  NEMO_ASSIGN_OR_RETURN(const int64_t value, config.GetInt(key, fallback));
  if (value < 1) return Corruption(Format("{} is {}, expected at least 1", key, value));
  return value;
}

Status ReadSizes(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.num_layers, RequiredInt(config, "num_layers"));
  NEMO_ASSIGN_OR_RETURN(model.hidden_size, RequiredInt(config, "hidden_size"));
  NEMO_ASSIGN_OR_RETURN(model.num_attention_heads, RequiredInt(config, "num_attention_heads"));
  if (model.hidden_size < 1 || model.hidden_size > (int64_t{1} << 31) ||
      model.num_attention_heads < 1) {
    return Corruption(
        Format("hidden_size is {} and num_attention_heads {}; both must be positive "
               "and below 2^31",
               model.hidden_size, model.num_attention_heads));
  }
  NEMO_ASSIGN_OR_RETURN(model.ffn_hidden_size,
                        config.GetInt("ffn_hidden_size", 4 * model.hidden_size));
  NEMO_ASSIGN_OR_RETURN(model.num_query_groups,
                        config.GetInt("num_query_groups", model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(
      model.kv_channels,
      config.GetInt("kv_channels", model.hidden_size / model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(const int64_t sequence, config.GetInt("encoder_seq_length", 0));
  NEMO_ASSIGN_OR_RETURN(model.max_position_embeddings,
                        config.GetInt("max_position_embeddings", sequence));
  NEMO_ASSIGN_OR_RETURN(model.vocab_size, config.GetInt("override_vocab_size", 0));
  NEMO_ASSIGN_OR_RETURN(model.make_vocab_size_divisible_by,
                        config.GetInt("make_vocab_size_divisible_by", 128));
  return OkStatus();
}

Status ReadNumbers(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.rotary_percent, config.GetDouble("rotary_percentage", 1.0));
  NEMO_ASSIGN_OR_RETURN(model.rotary_base, config.GetDouble("rotary_base", 10000.0));
  NEMO_ASSIGN_OR_RETURN(model.layernorm_epsilon, config.GetDouble("layernorm_epsilon", 1e-5));
  NEMO_ASSIGN_OR_RETURN(model.share_embeddings_and_output_weights,
                        config.GetBool("share_embeddings_and_output_weights", true));
  return OkStatus();
}

Status ReadNormalization(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(const std::string name, config.GetString("normalization", "layernorm"));
  NEMO_ASSIGN_OR_RETURN(const bool zero_centered,
                        config.GetBool("layernorm_zero_centered_gamma", false));
  if (name != "layernorm1p" && name != "layernorm") {
    return Unsupported(
        Format("normalization '{}' is not supported by this build; layernorm1p and "
               "layernorm are",
               name));
  }
  model.normalization = "layernorm";
  model.layernorm_zero_centered_gamma = name == "layernorm1p" || zero_centered;
  return OkStatus();
}

Status ReadActivation(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(const std::string name, config.GetString("activation", "gelu"));
  for (const char* spelling : {"squared-relu", "squared_relu", "relu2"}) {
    if (name != spelling) continue;
    model.activation = "squared_relu";
    return OkStatus();
  }
  return Unsupported(
      Format("activation '{}' is not supported by this build; squared-relu is", name));
}

Result<ParallelLayout> ReadLayout(const Config& config) {
  ParallelLayout layout;
  NEMO_ASSIGN_OR_RETURN(layout.tp_size, PositiveInt(config, "tensor_model_parallel_size", 1));
  NEMO_ASSIGN_OR_RETURN(layout.pp_size, PositiveInt(config, "pipeline_model_parallel_size", 1));
  NEMO_ASSIGN_OR_RETURN(layout.vpp_size,
                        PositiveInt(config, "virtual_pipeline_model_parallel_size", 1));
  return layout;
}

Status ReadTokenizer(const Config& config, std::vector<std::string>& references) {
  for (const char* key : {"tokenizer.tokenizer_model", "tokenizer.model"}) {
    NEMO_ASSIGN_OR_RETURN(std::string reference, config.GetString(key, ""));
    if (!reference.empty()) references.push_back(std::move(reference));
  }
  return OkStatus();
}

}  // namespace

Result<NemoConfig> ParseNemoConfig(std::string_view yaml_text) {
  NEMO_ASSIGN_OR_RETURN(const Config config, ParseRoot(yaml_text));
  NemoConfig parsed;
  NEMO_RETURN_IF_ERROR(ReadSizes(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadNumbers(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadNormalization(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadActivation(config, parsed.model));
  NEMO_RETURN_IF_ERROR(CheckFeatures(config));
  NEMO_ASSIGN_OR_RETURN(parsed.layout, ReadLayout(config));
  NEMO_RETURN_IF_ERROR(ReadTokenizer(config, parsed.tokenizer_references));
  return parsed;
}

}  // namespace nemo
