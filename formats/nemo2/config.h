// context/model.yaml of a NeMo 2 checkpoint -> ModelConfig. Facts: nemo/lightning/io/mixin.py (a
// graph of `_target_` nodes), nemo/collections/llm/gpt/model/{base,nemotron}.py (the fields, which
// are Megatron Core's); docs/formats/nemo2.md has the table.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

struct Nemo2Config {
  ModelConfig model;           ///< padded_vocab_size 0: only the weights know it
  ParallelLayout layout;       ///< of the run that saved
  std::string tokenizer;       ///< class of the tokenizer, without its module; may be empty
  std::string tokenizer_path;  ///< its file, as the config has it; may be empty
};

/// Parses the text of a model.yaml. kCorruption names the field: not YAML, absent, of another type.
/// kUnsupported names the feature of the model that this build does not compute.
Result<Nemo2Config> ParseNemo2Config(std::string_view yaml_text);

}  // namespace nemo
