// A model_config.yaml for a checkpoint that never had one.
#pragma once

#include <string>
#include <string_view>

#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

/// The fields that NeMo's MegatronGPTModel asks for when it loads a model, and those that say which
/// model it is; the settings of training are the ones that Nemotron-4 was published with.
/// `tokenizer`: the member that is the tokenizer; empty: there is none. ParseNemoConfig gives
/// `config` and `layout` back (vocab_size only where no padding follows it: NeMo builds as many
/// rows as override_vocab_size says).
std::string ConfigText(const ModelConfig& config, const ParallelLayout& layout,
                       std::string_view tokenizer);

}  // namespace nemo
