#include "libcore/serve/openai_exchange.h"

#include <ctime>
#include <utility>

#include "libcore/base/json.h"
#include "libcore/serve/chance.h"
#include "libcore/text/decode_stream.h"

namespace nemo {
namespace {

/// {"index", what the API says of the choice, "finish_reason"}
Value ChoiceValue(int64_t index, Value content, Value finish_reason) {
  Value choice;
  choice.Set("index", index);
  for (auto& [key, member] : content.as_object()) choice.Set(key, std::move(member));
  choice.Set("finish_reason", std::move(finish_reason));
  return choice;
}

}  // namespace

std::string ServerSentEvent(const Value& value) { return "data: " + ToJson(value) + "\n\n"; }

OpenAiExchange::OpenAiExchange(const ApiContext& context, OpenAiOptions options,
                               std::vector<GenerateRequest> requests)
    : context_(context),
      options_(std::move(options)),
      requests_(std::move(requests)),
      created_seconds_(std::time(nullptr)) {}

/// Made with the first use, since own_stops() is a matter of the derived class.
OpenAiExchange::Choice& OpenAiExchange::choice(int64_t index) {
  while (choices_.size() < requests_.size()) {
    std::vector<std::string> stops = options_.stop;
    for (std::string& stop : own_stops()) stops.push_back(std::move(stop));
    choices_.emplace_back(std::move(stops));
  }
  return choices_[static_cast<size_t>(index)];
}

void OpenAiExchange::AddToken(int64_t index, const GenerateResult& result, int64_t i,
                              std::string_view text) {
  NotedToken token;
  token.id = result.token_ids[result.num_prompt_tokens + i];
  const int64_t row = result.num_prompt_tokens - 1 + i - requests_[index].logprobs_begin;
  if (row >= 0 && row < std::ssize(result.logprob)) token.logprob = result.logprob[row];
  if (row >= 0 && row < std::ssize(result.top_logprobs)) {
    token.top_logprobs = result.top_logprobs[row];
  }
  choice(index).continuation.Add(text, std::move(token));
}

/// Decodes token by token, as a streamed answer is.
Status OpenAiExchange::AddTokens(int64_t index, const GenerateResult& result) {
  const std::span<const int32_t> ids(result.token_ids);
  DecodeStream stream(context_.tokenizer);
  NEMO_RETURN_IF_ERROR(stream.Skip(ids.first(result.num_prompt_tokens)));
  const int64_t num_generated = std::ssize(ids) - result.num_prompt_tokens;
  for (int64_t i = 0; i < num_generated; ++i) {
    NEMO_ASSIGN_OR_RETURN(std::string text, stream.Add(ids[result.num_prompt_tokens + i]));
    if (i + 1 == num_generated) {
      NEMO_ASSIGN_OR_RETURN(const std::string rest, stream.Finish());
      text += rest;
    }
    AddToken(index, result, i, text);
  }
  choice(index).continuation.Finish();
  return OkStatus();
}

Reply OpenAiExchange::Answer(std::vector<GenerateResult> results) {
  Value::Array choices;
  for (int64_t index = 0; index < std::ssize(results); ++index) {
    const GenerateResult& result = results[index];
    if (auto s = AddTokens(index, result); !s.ok()) return Failure(500, s.message());
    const Part part = choice(index).continuation.Take();
    choices.push_back(
        ChoiceValue(index, WholeChoice(index, part, result), ReasonOf(index, result)));
    Count(index, result);
  }
  Value body = Envelope(std::move(choices), false);
  body.Set("usage", Usage());
  return OpenAiJson(body);
}

std::string OpenAiExchange::OnToken(int64_t index, const TokenEvent& event) {
  NotedToken token;
  token.id = event.token_id;
  token.logprob = event.logprob;
  token.top_logprobs.assign(event.top_logprobs.begin(), event.top_logprobs.end());
  Continuation& continuation = choice(index).continuation;
  continuation.Add(event.text, std::move(token));
  const Part part = continuation.Take();
  const bool shows = !part.text.empty() || (options_.num_logprobs && !part.tokens.empty());
  return shows ? Chunk(index, part, Value()) : "";
}

std::string OpenAiExchange::OnFinished(int64_t index, const GenerateResult& result) {
  Continuation& continuation = choice(index).continuation;
  continuation.Finish();
  Count(index, result);
  return Chunk(index, continuation.Take(), ReasonOf(index, result));
}

std::string OpenAiExchange::End() {
  std::string text;
  if (options_.include_usage) {
    Value body = Envelope({}, true);
    body.Set("usage", Usage());
    text = ServerSentEvent(body);
  }
  return text + "data: [DONE]\n\n";
}

Reply OpenAiExchange::Failure(int http_status, const std::string& message) const {
  return OpenAiError(http_status, message);
}

std::string OpenAiExchange::FailureInStream(int http_status, const std::string& message) const {
  return "data: " + OpenAiError(http_status, message).body + "\n";
}

std::string_view OpenAiExchange::ReasonOf(int64_t index, const GenerateResult& result) const {
  const bool stopped = choices_[static_cast<size_t>(index)].continuation.stopped();
  return stopped || result.finish_reason != FinishReason::kLength ? "stop" : "length";
}

void OpenAiExchange::Count(int64_t index, const GenerateResult& result) {
  if (index % options_.n == 0) num_prompt_tokens_ += result.num_prompt_tokens;
  num_completion_tokens_ += std::ssize(result.token_ids) - result.num_prompt_tokens;
}

Value OpenAiExchange::Usage() const {
  Value usage;
  usage.Set("prompt_tokens", num_prompt_tokens_);
  usage.Set("completion_tokens", num_completion_tokens_);
  usage.Set("total_tokens", num_prompt_tokens_ + num_completion_tokens_);
  return usage;
}

Value OpenAiExchange::Envelope(Value::Array choices, bool chunk) {
  if (id_.empty()) id_ = AnswerId(id_prefix());
  Value body;
  body.Set("id", id_);
  body.Set("object", object_name(chunk));
  body.Set("created", created_seconds_);
  body.Set("model", context_.model_name);
  body.Set("choices", std::move(choices));
  return body;
}

std::string OpenAiExchange::Chunk(int64_t index, const Part& part, Value finish_reason) {
  const bool first = !std::exchange(choice(index).begun, true);
  Value body = Envelope(
      {ChoiceValue(index, ChunkChoice(index, part, first), std::move(finish_reason))}, true);
  if (options_.include_usage) body.Set("usage", Value());
  return ServerSentEvent(body);
}

}  // namespace nemo
