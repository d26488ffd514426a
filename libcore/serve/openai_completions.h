// OpenAI's POST /v1/completions: prompts as text or ids, echo, log-probabilities, server-sent
// events. What lm_eval's local-completions needs to score through it is in docs/serving-api.md.
#pragma once

#include "libcore/serve/api.h"

namespace nemo {

Opening OpenCompletions(const ApiContext& context, const ApiCall& call);

/// The most choices of one call: prompts times n.
inline constexpr int64_t kMaxChoices = 1024;

}  // namespace nemo
