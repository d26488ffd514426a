#include "libcore/serve/openai_chat.h"

#include <limits>
#include <utility>

#include "libcore/serve/chat_template.h"
#include "libcore/serve/openai_exchange.h"
#include "libcore/serve/token_text.h"

namespace nemo {
namespace {

class ChatExchange final : public OpenAiExchange {
 public:
  using OpenAiExchange::OpenAiExchange;

 protected:
  std::string_view id_prefix() const override { return "chatcmpl-"; }
  std::string_view object_name(bool chunk) const override {
    return chunk ? "chat.completion.chunk" : "chat.completion";
  }

  /// The newline before the next turn belongs to the template.
  std::vector<std::string> own_stops() const override {
    return {std::string(kTurnStart), "\n" + std::string(kTurnStart)};
  }

  Value WholeChoice(int64_t, const Part& part, const GenerateResult&) override {
    Value message;
    message.Set("role", "assistant");
    message.Set("content", part.text);
    message.Set("refusal", Value());
    Value choice;
    choice.Set("message", std::move(message));
    choice.Set("logprobs", Logprobs(part));
    return choice;
  }

  Value ChunkChoice(int64_t, const Part& part, bool first) override {
    Value delta(Value::Object{});
    if (first) delta.Set("role", "assistant");
    if (first || !part.text.empty()) delta.Set("content", part.text);
    Value choice;
    choice.Set("delta", std::move(delta));
    choice.Set("logprobs", Logprobs(part));
    return choice;
  }

 private:
  Value TokenValue(int32_t id, double logprob) const {
    Value bytes(Value::Array{});
    for (const char byte : TokenBytes(context().tokenizer, id)) {
      bytes.as_array().emplace_back(int{static_cast<unsigned char>(byte)});
    }
    Value value;
    value.Set("token", TokenName(context().tokenizer, id));
    value.Set("logprob", logprob);
    value.Set("bytes", std::move(bytes));
    return value;
  }

  Value Logprobs(const Part& part) const {
    if (!options().num_logprobs) return Value();
    Value::Array content;
    for (const NotedToken& token : part.tokens) {
      Value value = TokenValue(token.id, token.logprob);
      Value::Array top;
      for (const TokenLogprob& other : token.top_logprobs) {
        top.push_back(TokenValue(other.token_id, other.logprob));
      }
      value.Set("top_logprobs", std::move(top));
      content.push_back(std::move(value));
    }
    Value logprobs;
    logprobs.Set("content", std::move(content));
    logprobs.Set("refusal", Value());
    return logprobs;
  }
};

std::optional<int64_t> TakeTopLogprobs(OpenAiFields* fields) {
  const bool logprobs = fields->Bool("logprobs", false);
  const auto top = fields->Int("top_logprobs", 0, kMaxTopLogprobs);
  if (top && !logprobs) {
    fields->Fault("top_logprobs", "top_logprobs needs logprobs to be true");
  }
  return logprobs ? std::optional<int64_t>(top.value_or(0)) : std::nullopt;
}

/// The newer name wins.
std::optional<int64_t> TakeMaxTokens(OpenAiFields* fields) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const auto old_name = fields->Int("max_tokens", 1, kMost);
  const auto new_name = fields->Int("max_completion_tokens", 1, kMost);
  return new_name ? new_name : old_name;
}

/// Fields that ask for nothing in one spelling of theirs.
void TakeHarmless(std::string_view key, const Value& harmless, OpenAiFields* fields) {
  const Value* value = fields->Take(key);
  if (value != nullptr && *value != harmless) {
    fields->Fault(key, std::string(key) + " is not supported by this server; leave it out",
                  "unsupported_parameter");
  }
}

void RefuseTools(OpenAiFields* fields) {
  static constexpr std::string_view kRefused[] = {
      "tools",      "functions",          "function_call",   "audio",
      "prediction", "web_search_options", "reasoning_effort"};
  static constexpr std::string_view kIgnored[] = {"parallel_tool_calls"};
  fields->Refuse(kRefused);
  fields->Ignore(kIgnored);
  Value text_format;
  text_format.Set("type", "text");
  TakeHarmless("response_format", text_format, fields);
  TakeHarmless("modalities", Value::Array{"text"}, fields);
  const Value* choice = fields->Take("tool_choice");
  if (choice != nullptr && *choice != Value("auto")) TakeHarmless("tool_choice", "none", fields);
}

}  // namespace

Opening OpenChat(const ApiContext& context, const ApiCall& call) {
  auto body = ParseOpenAiBody(call);
  if (auto* reply = std::get_if<Reply>(&body)) return std::move(*reply);
  OpenAiFields fields(std::get<Value>(body));
  OpenAiOptions options = TakeOpenAiOptions(context, &fields);
  options.max_tokens = TakeMaxTokens(&fields);
  options.num_logprobs = TakeTopLogprobs(&fields);
  RefuseTools(&fields);
  const std::string prompt = ChatPrompt(&fields);
  if (const auto& fault = fields.Finish()) return OpenAiError(*fault);
  const auto ids = EncodePrompt(context.tokenizer, prompt, false);
  if (!ids) return OpenAiError(400, ids.error().message());
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < options.n; ++i) {
    auto made = RequestOf(context, options, *ids, i, std::numeric_limits<int64_t>::max());
    if (const auto* fault = std::get_if<OpenAiFault>(&made)) return OpenAiError(*fault);
    GenerateRequest& request = requests.emplace_back(std::move(std::get<GenerateRequest>(made)));
    // As an id where the vocabulary has it as a piece, and as text where it has not.
    request.end_strings.emplace_back(kTurnStart);
    request.stop_strings.emplace_back(kTurnStart);
  }
  return std::make_unique<ChatExchange>(context, std::move(options), std::move(requests));
}

}  // namespace nemo
