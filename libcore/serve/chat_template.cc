#include "libcore/serve/chat_template.h"

#include <optional>

#include "libcore/base/format.h"

namespace nemo {

const std::string_view kChatTemplate =
    "{{ '<extra_id_0>System\\n' }}"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}"
    "{% set messages = messages[1:] %}{% endif %}{{ '\\n' }}"
    "{% for message in messages %}{{ '<extra_id_1>' + message['role'] | capitalize + '\\n' + "
    "message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<extra_id_1>Assistant\\n' }}{% endif %}";

namespace {

/// A text, or {"type": "text", "text": ...} parts joined; nothing when it is neither.
std::optional<std::string> ContentOf(const Value* content) {
  if (content == nullptr || content->is_null()) return "";
  if (content->is_string()) return content->as_string();
  if (!content->is_array()) return std::nullopt;
  std::string text;
  for (const Value& part : content->as_array()) {
    const Value* type = part.Find("type");
    const Value* words = part.Find("text");
    const bool is_text = type != nullptr && type->is_string() && type->as_string() == "text" &&
                         words != nullptr && words->is_string();
    if (!is_text) return std::nullopt;
    text += words->as_string();
  }
  return text;
}

/// The turn's name; empty for a role that the template does not have.
std::string_view NameOf(const std::string& role) {
  if (role == "system" || role == "developer") return "System";
  if (role == "user") return "User";
  return role == "assistant" ? "Assistant" : "";
}

}  // namespace

std::string ChatPrompt(OpenAiFields* fields) {
  const Value* messages = fields->Take("messages");
  if (messages == nullptr || !messages->is_array() || messages->as_array().empty()) {
    fields->Fault("messages", "messages must be a list of at least one message");
    return "";
  }
  std::string system, turns;
  for (size_t i = 0; i < messages->as_array().size(); ++i) {
    const Value& message = messages->as_array()[i];
    const std::string place = Format("messages[{}]", i);
    const auto role = message.GetString("role");
    const std::string_view name = role ? NameOf(*role) : "";
    if (name.empty()) {
      fields->Fault(place + ".role", Format("{}: role must be system, user or assistant", place));
      return "";
    }
    const auto content = ContentOf(message.Find("content"));
    if (!content) {
      fields->Fault(place + ".content",
                    Format("{}: content must be a text or a list of text parts", place));
      return "";
    }
    if (name == "System" && i > 0) {
      fields->Fault(place + ".role", Format("{}: only the first message may be of system", place));
      return "";
    }
    if (name == "System") {
      system = *content;
    } else {
      turns += Format("{}{}\n{}\n", kTurnStart, name, *content);
    }
  }
  return Format("<extra_id_0>System\n{}\n{}{}Assistant\n", system, turns, kTurnStart);
}

}  // namespace nemo
