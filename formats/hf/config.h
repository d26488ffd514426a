// config.json of NemotronForCausalLM <-> ModelConfig. transformers up to 4 writes rope_theta,
// partial_rotary_factor and torch_dtype, 5 writes rope_parameters and dtype: both are read, and the
// former, which both read, is written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/model/config.h"
#include "libcore/tensor/dtype.h"

namespace nemo::hf {

/// The model that config.json describes. vocab_size and padded_vocab_size are both its vocab_size.
/// kUnsupported: an architecture, activation, bias, quantization or RoPE that this build does not
/// know, by name. kCorruption: anything that is missing or of another type.
Result<ModelConfig> ParseConfig(std::string_view json_text);

/// kUnsupported: what of `config` the class cannot express.
Status CheckExpressible(const ModelConfig& config);

/// Token ids of the model's special pieces; -1: none, or not known.
struct SpecialIds {
  int64_t bos = -1;
  int64_t eos = -1;
  int64_t pad = -1;
};

/// Every field that loaders ask for; ids that are not known are left to the class's defaults.
/// kUnsupported: `dtype` is no type of weights.
Result<Value> ConfigValue(const ModelConfig& config, DType dtype, const SpecialIds& ids);
/// generation_config.json.
Value GenerationConfigValue(const SpecialIds& ids);

}  // namespace nemo::hf
