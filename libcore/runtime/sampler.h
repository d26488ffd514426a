// Sampler: from a row of logits to a token, as NeMo's server does it (docs/runtime.md, "Sampling").
// Facts: nemo/collections/nlp/modules/common/text_generation_utils.py.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/philox.h"

namespace nemo {

/// NeMo's parameters with its server's defaults. `greedy` makes the others void.
struct SamplingParams {
  bool greedy = false;
  double temperature = 1.0;
  int64_t top_k = 0;   ///< 0: off
  double top_p = 0.9;  ///< off at 0 and 1
  double repetition_penalty =
      1.0;  ///< acts only where log-probabilities are asked for, as NeMo's does
  uint64_t seed = 0;
};

/// kInvalidArgument names the parameter and its range.
Status CheckSampling(const SamplingParams& params);

struct Candidate {
  float logit = 0;
  int32_t token_id = 0;
};

/// Divides by the temperature, then each logit of a token in `used` once more by the penalty,
/// whatever its sign. In fp32, as NeMo.
void ScaleLogits(const SamplingParams& params, std::span<const int32_t> used,
                 std::span<float> logits);

/// What top-k (logits equal to the k-th stay) and, on what that leaves, top-p (the token that
/// crosses p stays) let through. Logits of -infinity never. In no particular order, and the same
/// for equal input.
std::vector<Candidate> Survivors(const SamplingParams& params, std::span<const float> logits);

/// Draws with the probabilities of a softmax over the candidates: the largest logit + Gumbel(token
/// id), the lowest id where equal. -1 without candidates.
int32_t Choose(std::span<const Candidate> candidates, const DrawKey& key);

/// The lowest id with the largest logit, -1 when all are -infinity.
int32_t ArgMax(std::span<const float> logits);

}  // namespace nemo
