// OpenAI's POST /v1/chat/completions, with the template of Nemotron's instruct models
// (chat_template.h).
#pragma once

#include "libcore/serve/api.h"

namespace nemo {

Opening OpenChat(const ApiContext& context, const ApiCall& call);

}  // namespace nemo
