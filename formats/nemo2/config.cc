#include "formats/nemo2/config.h"

#include <utility>

#include "formats/nemo/config_fields.h"
#include "formats/nemo/features.h"
#include "formats/nemo/omegaconf.h"
#include "libcore/base/format.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

constexpr const char* kConfigKey = "config";

/// The last name of an import path.
std::string LastName(std::string_view path) {
  return std::string(path.substr(path.rfind('.') + 1));  // npos + 1 is 0
}

/// A class or function: a node with `_target_`, or its import path alone.
Result<std::string> Reference(const Config& config, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const Value value, config.Get(key));
  if (!value.is_object()) return config.GetString(key, "");
  return config.GetString(Format("{}._target_", key), "");
}

/// Fields whose default depends on the class that the config was made from.
Status CheckRequired(const Config& config) {
  for (const char* key : {"rotary_percent", "layernorm_zero_centered_gamma",
                          "share_embeddings_and_output_weights", "activation_func"}) {
    NEMO_ASSIGN_OR_RETURN(const Value value, config.Get(key));
    if (value.is_null()) return Corruption(Format("{} is missing", key));
  }
  return OkStatus();
}

Status ReadNumbers(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.vocab_size, config.GetInt("vocab_size", 0));
  NEMO_ASSIGN_OR_RETURN(model.rotary_percent, config.GetDouble("rotary_percent", 0));
  NEMO_ASSIGN_OR_RETURN(model.rotary_base, config.GetDouble("rotary_base", 10000.0));
  NEMO_ASSIGN_OR_RETURN(model.layernorm_epsilon, config.GetDouble("layernorm_epsilon", 1e-5));
  NEMO_ASSIGN_OR_RETURN(model.layernorm_zero_centered_gamma,
                        config.GetBool("layernorm_zero_centered_gamma", false));
  NEMO_ASSIGN_OR_RETURN(model.share_embeddings_and_output_weights,
                        config.GetBool("share_embeddings_and_output_weights", false));
  return OkStatus();
}

Status ReadFunctions(const Config& config, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(const std::string norm, config.GetString("normalization", "LayerNorm"));
  if (norm != "LayerNorm") {
    return Unsupported(
        Format("normalization '{}' is not supported by this build; LayerNorm is", norm));
  }
  model.normalization = "layernorm";
  NEMO_ASSIGN_OR_RETURN(const std::string activation, Reference(config, "activation_func"));
  if (LastName(activation) != "squared_relu") {
    return Unsupported(
        Format("activation_func '{}' is not supported by this build; squared_relu is",
               activation.substr(0, 200)));
  }
  model.activation = "squared_relu";
  return OkStatus();
}

Status ReadModel(const Config& config, Nemo2Config& parsed) {
  NEMO_RETURN_IF_ERROR(ReadSizes(config, "seq_length", parsed.model));
  NEMO_RETURN_IF_ERROR(CheckRequired(config));
  NEMO_RETURN_IF_ERROR(ReadNumbers(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadFunctions(config, parsed.model));
  NEMO_RETURN_IF_ERROR(CheckFeatures(config));
  NEMO_ASSIGN_OR_RETURN(parsed.layout, ReadLayout(config));
  return OkStatus();
}

Status ReadTokenizer(const Config& root, Nemo2Config& parsed) {
  NEMO_ASSIGN_OR_RETURN(const std::string type, Reference(root, "tokenizer"));
  parsed.tokenizer = LastName(type);
  for (const char* key : {"tokenizer.model_path", "tokenizer.tokenizer_model", "tokenizer.model"}) {
    if (!parsed.tokenizer_path.empty()) break;
    NEMO_ASSIGN_OR_RETURN(parsed.tokenizer_path, root.GetString(key, ""));
  }
  return OkStatus();
}

}  // namespace

Result<Nemo2Config> ParseNemo2Config(std::string_view yaml_text) {
  NEMO_ASSIGN_OR_RETURN(Value root, ParseYaml(yaml_text));
  const Value* config = root.Find(kConfigKey);
  if (config == nullptr || !config->is_object()) {
    return Corruption(Format("expected the fields of the model under '{}:', found {}", kConfigKey,
                             config == nullptr ? "none" : config->type_name()));
  }
  Nemo2Config parsed;
  NEMO_RETURN_IF_ERROR(ReadModel(Config(root, kConfigKey), parsed));
  NEMO_RETURN_IF_ERROR(ReadTokenizer(Config(std::move(root), ""), parsed));
  return parsed;
}

}  // namespace nemo
