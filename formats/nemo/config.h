// model_config.yaml of a NeMo 1.x model -> ModelConfig. The one place that knows NeMo's spellings.
// Facts: nemo/collections/nlp/models/language_modeling/megatron_gpt_model.py
// (build_transformer_config) and megatron_base_model.py; docs/formats/nemo.md has the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

struct NemoConfig {
  std::string base;  ///< the mapping that was used: "model", "cfg", or empty for the whole
  ModelConfig
      model;  ///< padded_vocab_size 0: only the weights know it. Not checked by CheckConfig yet
  ParallelLayout layout;  ///< of the run that saved
  /// What the config says of the tokenizer's model file, in the order of preference:
  /// "nemo:<member>", paths of the machine it was trained on.
  std::vector<std::string> tokenizer_references;
};

/// Our own, in `tokenizer:`: the size of its vocabulary, for a checkpoint without a tokenizer. NeMo
/// passes over it (override_vocab_size would be the rows of the embedding there).
inline constexpr std::string_view kTokenizerSizeKey = "vocab_size";

/// Parses the text of a model_config.yaml; a top-level `model:` or `cfg:` mapping is used alone.
/// kCorruption names the field: not YAML, absent, of another type. kUnsupported names the feature
/// of the model that this build does not compute.
Result<NemoConfig> ParseNemoConfig(std::string_view yaml_text);

}  // namespace nemo
