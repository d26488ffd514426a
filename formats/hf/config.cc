#include "formats/hf/config.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::hf {
namespace {

constexpr std::string_view kArchitecture = "NemotronForCausalLM";
constexpr std::string_view kModelType = "nemotron";
constexpr std::string_view kActivation = "relu2";

// What the configuration class assumes when a file is silent.
constexpr int64_t kDefaultPositions = 4096;
constexpr double kDefaultNormEps = 1e-5;
constexpr double kDefaultRotaryFactor = 0.5;
constexpr double kDefaultRopeTheta = 10000.0;

/// Member `key`, nullptr when it is absent or null.
const Value* Given(const Value& object, std::string_view key) {
  const Value* value = object.Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<int64_t> IntOr(const Value& object, std::string_view key, int64_t fallback) {
  if (Given(object, key) == nullptr) return fallback;
  return object.GetInt(key);
}

/// A size that must be there and be positive.
Result<int64_t> Size(const Value& object, std::string_view key) {
  if (Given(object, key) == nullptr) return Corruption(Format("{} is missing", key));
  NEMO_ASSIGN_OR_RETURN(const int64_t size, object.GetInt(key));
  if (size < 1) return Corruption(Format("{} is {}, expected at least 1", key, size));
  return size;
}

/// The field that must be absent, null or false.
Status RefuseSwitch(const Value& config, std::string_view key) {
  if (Given(config, key) == nullptr) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const bool on, config.GetBool(key));
  if (!on) return OkStatus();
  return Unsupported(Format("{} is true: linear layers with biases are not supported", key));
}

Status CheckArchitecture(const Value& config) {
  bool named = false;
  if (Given(config, "architectures") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(const Value::Array* names, config.GetArray("architectures"));
    for (const Value& name : *names) {
      if (!name.is_string()) return Corruption("architectures is no list of names");
      if (name.as_string() != kArchitecture) {
        return Unsupported(Format("architecture {} is not supported by this build; {} is",
                                  name.as_string(), kArchitecture));
      }
      named = true;
    }
  }
  if (Given(config, "model_type") == nullptr) {
    if (named) return OkStatus();
    return Corruption("neither architectures nor model_type says what the model is");
  }
  NEMO_ASSIGN_OR_RETURN(const std::string type, config.GetString("model_type"));
  if (type == kModelType) return OkStatus();
  return Unsupported(
      Format("model_type '{}' is not supported by this build; {} is", type, kModelType));
}

/// RoPE with frequencies of its own kind; `key` is rope_scaling or rope_parameters.
Status CheckRopeType(const Value& config, std::string_view key) {
  const Value* rope = Given(config, key);
  if (rope == nullptr) return OkStatus();
  if (!rope->is_object()) {
    return Corruption(Format("{} is {}, expected a mapping", key, rope->type_name()));
  }
  for (const char* name : {"rope_type", "type"}) {
    if (Given(*rope, name) == nullptr) continue;
    NEMO_ASSIGN_OR_RETURN(const std::string type, rope->GetString(name));
    if (type != "default") {
      return Unsupported(Format("{} '{}' of {} is not supported; 'default' is", name, type, key));
    }
  }
  return OkStatus();
}

Status CheckFeatures(const Value& config) {
  NEMO_RETURN_IF_ERROR(RefuseSwitch(config, "attention_bias"));
  NEMO_RETURN_IF_ERROR(RefuseSwitch(config, "mlp_bias"));
  NEMO_RETURN_IF_ERROR(CheckRopeType(config, "rope_scaling"));
  NEMO_RETURN_IF_ERROR(CheckRopeType(config, "rope_parameters"));
  if (Given(config, "quantization_config") != nullptr) {
    return Unsupported("quantization_config: quantized weights are not supported");
  }
  if (Given(config, "hidden_act") == nullptr) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(const std::string activation, config.GetString("hidden_act"));
  if (activation == kActivation) return OkStatus();
  return Unsupported(
      Format("hidden_act '{}' is not supported by this build; {} is", activation, kActivation));
}

/// A number with several places or spellings. Where two are given they must agree: which one a
/// loader takes depends on its version.
struct Place {
  const Value* object;  ///< nullptr: there is none
  std::string_view key;
};
Result<double> AgreedNumber(const std::vector<Place>& places, double fallback) {
  const Place* first = nullptr;
  double agreed = fallback;
  for (const Place& place : places) {
    if (place.object == nullptr || Given(*place.object, place.key) == nullptr) continue;
    NEMO_ASSIGN_OR_RETURN(const double value, place.object->GetDouble(place.key));
    if (first != nullptr && value != agreed) {
      return Corruption(Format("{} is {} in one place and {} ({}) in another; remove the wrong one",
                               first->key, agreed, value, place.key));
    }
    agreed = value;
    first = &place;
  }
  return agreed;
}

Status ReadSizes(const Value& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.num_layers, Size(config, "num_hidden_layers"));
  NEMO_ASSIGN_OR_RETURN(model.hidden_size, Size(config, "hidden_size"));
  NEMO_ASSIGN_OR_RETURN(model.ffn_hidden_size, Size(config, "intermediate_size"));
  NEMO_ASSIGN_OR_RETURN(model.num_attention_heads, Size(config, "num_attention_heads"));
  NEMO_ASSIGN_OR_RETURN(model.num_query_groups,
                        IntOr(config, "num_key_value_heads", model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(model.kv_channels,
                        IntOr(config, "head_dim", model.hidden_size / model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(model.max_position_embeddings,
                        IntOr(config, "max_position_embeddings", kDefaultPositions));
  NEMO_ASSIGN_OR_RETURN(model.vocab_size, Size(config, "vocab_size"));
  model.padded_vocab_size = model.vocab_size;
  return OkStatus();
}

Status ReadNumbers(const Value& config, ModelConfig& model) {
  const Value* rope = Given(config, "rope_parameters");
  NEMO_ASSIGN_OR_RETURN(
      model.rotary_base,
      AgreedNumber({{&config, "rope_theta"}, {rope, "rope_theta"}}, kDefaultRopeTheta));
  NEMO_ASSIGN_OR_RETURN(model.rotary_percent, AgreedNumber({{&config, "partial_rotary_factor"},
                                                            {rope, "partial_rotary_factor"}},
                                                           kDefaultRotaryFactor));
  NEMO_ASSIGN_OR_RETURN(
      model.layernorm_epsilon,
      AgreedNumber({{&config, "norm_eps"}, {&config, "layer_norm_eps"}}, kDefaultNormEps));
  if (Given(config, "tie_word_embeddings") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(model.share_embeddings_and_output_weights,
                          config.GetBool("tie_word_embeddings"));
  }
  return OkStatus();
}

/// torch's name of a type of weights; empty: it is none.
std::string_view TorchName(DType dtype) {
  switch (dtype) {
    case DType::kBF16:
      return "bfloat16";
    case DType::kF16:
      return "float16";
    case DType::kF32:
      return "float32";
    case DType::kF64:
      return "float64";
    default:
      return {};
  }
}

void SetIds(const SpecialIds& ids, Value& value) {
  const std::pair<const char*, int64_t> kIds[] = {
      {"bos_token_id", ids.bos}, {"eos_token_id", ids.eos}, {"pad_token_id", ids.pad}};
  for (const auto& [key, id] : kIds) {
    if (id >= 0) value.Set(key, id);
  }
}

}  // namespace

Result<ModelConfig> ParseConfig(std::string_view json_text) {
  NEMO_ASSIGN_OR_RETURN(const Value config, ParseJson(json_text));
  if (!config.is_object()) {
    return Corruption(Format("expected a mapping of fields, found {}", config.type_name()));
  }
  NEMO_RETURN_IF_ERROR(CheckArchitecture(config));
  NEMO_RETURN_IF_ERROR(CheckFeatures(config));
  ModelConfig model;  // its defaults are the class's: squared ReLU, zero-centred LayerNorm
  NEMO_RETURN_IF_ERROR(ReadSizes(config, model));
  NEMO_RETURN_IF_ERROR(ReadNumbers(config, model));
  NEMO_RETURN_IF_ERROR(CheckConfig(model));
  return model;
}

Status CheckExpressible(const ModelConfig& config) {
  if (config.layernorm_zero_centered_gamma) return OkStatus();
  return Unsupported(
      Format("{} adds 1 to the weights of its layer norms, and this model's are plain "
             "(layernorm_zero_centered_gamma is false)",
             kArchitecture));
}

Result<Value> ConfigValue(const ModelConfig& config, DType dtype, const SpecialIds& ids) {
  const std::string_view torch_name = TorchName(dtype);
  if (torch_name.empty()) {
    return Unsupported(Format("weights of type {}; torch has no model of it", DTypeName(dtype)));
  }
  Value value;
  value.Set("architectures", Value::Array{kArchitecture});
  value.Set("attention_bias", false);
  SetIds(ids, value);
  value.Set("head_dim", config.kv_channels);
  value.Set("hidden_act", kActivation);
  value.Set("hidden_size", config.hidden_size);
  value.Set("intermediate_size", config.ffn_hidden_size);
  value.Set("max_position_embeddings", config.max_position_embeddings);
  value.Set("mlp_bias", false);
  value.Set("model_type", kModelType);
  value.Set("norm_eps", config.layernorm_epsilon);
  value.Set("num_attention_heads", config.num_attention_heads);
  value.Set("num_hidden_layers", config.num_layers);
  value.Set("num_key_value_heads", config.num_query_groups);
  value.Set("partial_rotary_factor", config.rotary_percent);
  value.Set("rope_theta", config.rotary_base);
  value.Set("tie_word_embeddings", config.share_embeddings_and_output_weights);
  value.Set("torch_dtype", torch_name);
  value.Set("vocab_size", config.padded_vocab_size);
  return value;
}

Value GenerationConfigValue(const SpecialIds& ids) {
  Value value;
  value.Set("_from_model_config", true);
  SetIds(ids, value);
  return value;
}

}  // namespace nemo::hf
