// The turns of a conversation as Nemotron's instruct models were trained on them:
//
//   <extra_id_0>System\n TEXT \n  <extra_id_1>User\n TEXT \n  <extra_id_1>Assistant\n TEXT \n ...
//
// without the blanks shown here, ending with "<extra_id_1>Assistant\n" for the model to go on.
// Facts: Nemotron-4-340B-Instruct's model card; the chat layout of NeMo's text generation server.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/value.h"
#include "libcore/serve/openai_fields.h"

namespace nemo {

/// What begins a turn, and so ends the model's.
inline constexpr std::string_view kTurnStart = "<extra_id_1>";

/// The same layout as a Jinja template, for clients that apply it themselves.
extern const std::string_view kChatTemplate;

/// The prompt of an OpenAI "messages" list; a fault on `fields` when it is none: roles are system
/// or developer (first only), user and assistant, contents are texts or lists of text parts.
std::string ChatPrompt(OpenAiFields* fields);

}  // namespace nemo
