// NeMo's own POST /v1/completions, which is not OpenAI's: one prompt, words for tokens in `usage`,
// a flat list of log-probabilities. For clients of NeMo's server (ApiContext::nemo_only); everybody
// else is better served by openai_completions.h.
// Facts: nemo/collections/nlp/modules/common/text_generation_server.py and its recorded answers.
#pragma once

#include "libcore/serve/api.h"

namespace nemo {

Opening OpenNemoCompletions(const ApiContext& context, const ApiCall& call);

}  // namespace nemo
