#include "formats/nemo/config.h"

#include <utility>

#include "formats/nemo/config_fields.h"
#include "formats/nemo/features.h"
#include "formats/nemo/omegaconf.h"
#include "libcore/base/format.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

struct Root {
  Config config;
  std::string base;
};

Result<Root> ParseRoot(std::string_view yaml_text) {
  NEMO_ASSIGN_OR_RETURN(Value root, ParseYaml(yaml_text));
  if (!root.is_object()) {
    return Corruption(Format("expected a mapping of fields, found {}", root.type_name()));
  }
  for (const char* part : {"model", "cfg"}) {
    const Value* subtree = root.Find(part);
    if (subtree != nullptr && subtree->is_object())
      return Root{Config(std::move(root), part), part};
  }
  return Root{Config(std::move(root), ""), ""};
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

Status ReadTokenizer(const Config& config, std::vector<std::string>& references) {
  for (const char* key : {"tokenizer.tokenizer_model", "tokenizer.model"}) {
    NEMO_ASSIGN_OR_RETURN(std::string reference, config.GetString(key, ""));
    if (!reference.empty()) references.push_back(std::move(reference));
  }
  return OkStatus();
}

}  // namespace

Result<NemoConfig> ParseNemoConfig(std::string_view yaml_text) {
  NEMO_ASSIGN_OR_RETURN(const Root root, ParseRoot(yaml_text));
  const Config& config = root.config;
  NemoConfig parsed;
  parsed.base = root.base;
  NEMO_RETURN_IF_ERROR(ReadSizes(config, "encoder_seq_length", parsed.model));
  NEMO_ASSIGN_OR_RETURN(const int64_t pieces,
                        config.GetInt(Format("tokenizer.{}", kTokenizerSizeKey), 0));
  NEMO_ASSIGN_OR_RETURN(parsed.model.vocab_size, config.GetInt("override_vocab_size", pieces));
  NEMO_RETURN_IF_ERROR(ReadNumbers(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadNormalization(config, parsed.model));
  NEMO_RETURN_IF_ERROR(ReadActivation(config, parsed.model));
  NEMO_RETURN_IF_ERROR(CheckFeatures(config));
  NEMO_ASSIGN_OR_RETURN(parsed.layout, ReadLayout(config));
  NEMO_RETURN_IF_ERROR(ReadTokenizer(config, parsed.tokenizer_references));
  return parsed;
}

}  // namespace nemo
