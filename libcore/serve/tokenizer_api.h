// The routes that tell of model and tokenizer: /v1/models, /v1/health, and what lm_eval's remote
// tokenizer asks of vLLM: /tokenizer_info, /tokenize, /detokenize.
#pragma once

#include "libcore/serve/api.h"

namespace nemo {

Opening OpenModels(const ApiContext& context, const ApiCall& call);
/// GET /v1/models/ID. 404: another model than ours.
Opening OpenModel(const ApiContext& context, const ApiCall& call);
Opening OpenHealth(const ApiContext& context, const ApiCall& call);
Opening OpenTokenizerInfo(const ApiContext& context, const ApiCall& call);
Opening OpenTokenize(const ApiContext& context, const ApiCall& call);
Opening OpenDetokenize(const ApiContext& context, const ApiCall& call);

}  // namespace nemo
