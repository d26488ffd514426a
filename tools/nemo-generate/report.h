// What nemo-generate prints.
#pragma once

#include <string>

#include "libcore/base/value.h"
#include "tools/nemo-generate/job.h"
#include "tools/nemo-generate/run.h"

namespace nemo {

/// The sentences, under a heading each when there are several; with --logprobs a table of their
/// tokens.
std::string ToText(const GenerateJob& job, const Answer& answer);

/// NeMo's keys: "sentences", "tokens", "token_ids", "logprob" (null unless asked for), "offsets",
/// "full_logprob" (only when asked for); and "seed" (null when greedy), "timing".
Value ToValue(const GenerateJob& job, const Answer& answer);

/// One line for people: how many tokens, how fast, on what.
std::string Summary(const Answer& answer);

}  // namespace nemo
