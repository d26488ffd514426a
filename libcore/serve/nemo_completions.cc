#include "libcore/serve/nemo_completions.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <string>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/serve/chance.h"
#include "libcore/serve/flask_answers.h"

namespace nemo {
namespace {

/// As Python's str.split() counts them.
int64_t CountWords(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const unsigned char c : text) {
    words += !inside && std::isspace(c) == 0;
    inside = std::isspace(c) == 0;
  }
  return words;
}

class NemoCompletion final : public Exchange {
 public:
  NemoCompletion(std::string prompt, GenerateRequest request)
      : prompt_(std::move(prompt)), requests_({std::move(request)}) {}

  const std::vector<GenerateRequest>& requests() const override { return requests_; }

  Reply Answer(std::vector<GenerateResult> results) override {
    const GenerateResult& result = results.front();
    const std::string text =
        result.text.starts_with(prompt_) ? result.text.substr(prompt_.size()) : result.text;
    Value choice;
    choice.Set("finish_reason", "");
    choice.Set("index", 0);
    choice.Set("logprobs", requests_[0].logprobs ? Value::ArrayOf(result.logprob) : Value());
    choice.Set("text", text);
    choice.Set("tokens", Value::ArrayOf(result.tokens));
    Value usage;
    usage.Set("completion_tokens", CountWords(text));
    usage.Set("prompt_tokens", CountWords(prompt_));
    usage.Set("total_tokens", CountWords(text) + CountWords(prompt_));
    Value body;
    body.Set("choices", Value::Array{std::move(choice)});
    body.Set("created", static_cast<int64_t>(std::time(nullptr)));
    body.Set("id", AnswerId("cmpl-"));
    body.Set("model", "nemo model");
    body.Set("object", "text_completion");
    body.Set("usage", std::move(usage));
    return FlaskJson(200, body);
  }

  Reply Failure(int http_status, const std::string& message) const override {
    return FlaskMessage(http_status, message);
  }

 private:
  std::string prompt_;
  std::vector<GenerateRequest> requests_;
};

/// What Python's `if value:` makes of it.
bool IsTruthy(const Value* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->as_bool();
  if (value->is_number()) return value->as_double() != 0;
  if (value->is_string()) return !value->as_string().empty();
  return !value->is_array() || !value->as_array().empty();
}

bool TakeNumber(const Value& body, const char* key, double* out) {
  const Value* value = body.Find(key);
  if (value != nullptr && value->is_number()) *out = value->as_double();
  return value == nullptr || value->is_number();
}

bool TakeEndStrings(const Value& body, std::vector<std::string>* out) {
  const Value* list = body.Find("end_strings");
  if (list == nullptr) return true;
  if (!list->is_array()) return false;
  for (const Value& text : list->as_array()) {
    if (!text.is_string()) return false;
    out->push_back(text.as_string());
  }
  return true;
}

/// False: a field that NeMo would stumble over.
bool TakeRequest(const Value& body, int64_t vocab_size, GenerateRequest* request) {
  double max_tokens = 32, seed = 1234, temperature = 0, top_k = 0;
  SamplingParams& sampling = request->sampling;
  sampling.top_p = 1;
  request->end_strings = {"<|endoftext|>"};
  if (!TakeNumber(body, "max_tokens", &max_tokens) || !TakeNumber(body, "seed", &seed) ||
      !TakeNumber(body, "temperature", &temperature) || !TakeNumber(body, "top_k", &top_k) ||
      !TakeNumber(body, "top_p", &sampling.top_p) || !TakeEndStrings(body, &request->end_strings)) {
    return false;
  }
  if (!(max_tokens >= 1 && max_tokens < 1e9 && seed >= 0 && seed < 9e15 && top_k >= 0))
    return false;
  request->tokens_to_generate = static_cast<int64_t>(max_tokens);
  request->logprobs = IsTruthy(body.Find("logprobs"));
  sampling.greedy = temperature == 0;
  if (!sampling.greedy) sampling.temperature = temperature;
  sampling.top_k = static_cast<int64_t>(std::min(top_k, static_cast<double>(vocab_size)));
  sampling.seed = static_cast<uint64_t>(seed);
  return CheckSampling(sampling).ok();
}

}  // namespace

Opening OpenNemoCompletions(const ApiContext& context, const ApiCall& call) {
  if (!IsJsonType(call.content_type)) return FlaskNotJson();
  const auto body = ParseJson(call.body);
  if (!body) return FlaskNotUnderstood();
  const Value* prompt = body->Find("prompt");
  GenerateRequest request;
  if (prompt == nullptr || !prompt->is_string() ||
      !TakeRequest(*body, context.tokenizer.vocab_size(), &request)) {
    return FlaskInternalError();
  }
  auto ids = EncodePrompt(context.tokenizer, prompt->as_string(), false);
  if (!ids) return FlaskInternalError();
  request.prompt_ids = std::move(*ids);
  const int64_t room = context.max_sequence_tokens - std::ssize(request.prompt_ids);
  if (room < 1) {
    return FlaskMessage(400, Format("the prompt's {} tokens leave no room in the model's context "
                                    "of {} tokens",
                                    request.prompt_ids.size(), context.max_sequence_tokens));
  }
  request.tokens_to_generate = std::min(request.tokens_to_generate, room);
  return std::make_unique<NemoCompletion>(prompt->as_string(), std::move(request));
}

}  // namespace nemo
