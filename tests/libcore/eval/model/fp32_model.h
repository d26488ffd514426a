// The oracles' tiny model in plain fp32 arithmetic on its bf16 weights, as transformers ran it for
// them (modeling_nemotron.py: LayerNorm of 1 + w with bias, rotary on the first half of a head,
// grouped queries, squared ReLU). Our backends round to bf16 where the released model does, so only
// this one can be held to the oracle's digits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/runtime/request.h"

namespace nemo::eval::testing {

/// Keeps keys and values of the last call's tokens: calls that begin alike go on from there.
class Fp32Model {
 public:
  /// The Hugging Face folder of evaldata/oracle/model.
  static std::unique_ptr<Fp32Model> Load(const std::string& folder);
  virtual ~Fp32Model() = default;
  /// What Generator would answer: scores, or greedy tokens until `eos_id`.
  virtual GenerateResult Run(const GenerateRequest& request, int32_t eos_id) = 0;
};

}  // namespace nemo::eval::testing
