// NeMo's API: PUT /generate, as the scripts of Nemotron's model card call it. What it says on other
// routes and methods is in flask_answers.h. docs/serving-api.md tells where it differs from NeMo.
#pragma once

#include "libcore/serve/api.h"

namespace nemo {

/// Opens PUT /generate.
Opening OpenNemoGenerate(const ApiContext& context, const ApiCall& call);

/// The most numbers that full_logprob may have in one answer; each takes some 20 bytes of JSON.
inline constexpr int64_t kMaxFullLogprobs = int64_t{1} << 24;

}  // namespace nemo
