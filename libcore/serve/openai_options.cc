#include "libcore/serve/openai_options.h"

#include <algorithm>
#include <limits>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/serve/chance.h"
#include "libcore/serve/flask_answers.h"

namespace nemo {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxChoicesPerPrompt = 128;

/// Notes of the client to itself and to OpenAI's billing and caches.
constexpr std::string_view kIgnored[] = {"user",
                                         "metadata",
                                         "store",
                                         "service_tier",
                                         "safety_identifier",
                                         "prompt_cache_key",
                                         "prompt_cache_retention"};

/// They would change the answer.
constexpr std::string_view kRefused[] = {"logit_bias", "frequency_penalty", "presence_penalty"};

SamplingParams TakeSampling(OpenAiFields* fields) {
  SamplingParams sampling;
  const double temperature = fields->Number("temperature", 0, 100, 1);
  sampling.greedy = temperature == 0;
  if (!sampling.greedy) sampling.temperature = temperature;
  sampling.top_p = fields->Number("top_p", 0, 1, 1);
  // -1 is how vLLM's clients say "off".
  sampling.top_k = std::max<int64_t>(fields->Int("top_k", -1, kMaxInt).value_or(0), 0);
  sampling.repetition_penalty = fields->Number("repetition_penalty", 0.01, 100, 1);
  sampling.repetition = Repetition::kCtrl;
  return sampling;
}

void TakeStreaming(OpenAiFields* fields, OpenAiOptions* options) {
  options->stream = fields->Bool("stream", false);
  const Value* more = fields->Take("stream_options");
  if (more == nullptr) return;
  if (!options->stream) {
    fields->Fault("stream_options", "stream_options need stream to be true");
  } else if (!more->is_object()) {
    fields->Fault("stream_options", "stream_options must be an object");
  } else {
    const Value* usage = more->Find("include_usage");
    options->include_usage = usage != nullptr && usage->is_bool() && usage->as_bool();
  }
}

void TakeModel(const ApiContext& context, OpenAiFields* fields) {
  const Value* model = fields->Take("model");
  if (model == nullptr) return;
  if (!model->is_string()) {
    fields->Fault("model", "model must be a text");
  } else if (context.strict && model->as_string() != context.model_name) {
    fields->Fault("model",
                  Format("The model '{}' does not exist; this server has '{}'", model->as_string(),
                         context.model_name),
                  "model_not_found");
  }
}

OpenAiFault TooLong(const ApiContext& context, int64_t num_prompt, int64_t max_tokens) {
  return {Format("This model's maximum context length is {} tokens, and {} were asked for ({} in "
                 "the prompt, {} to be generated); shorten the prompt or ask for fewer",
                 context.max_sequence_tokens, num_prompt + max_tokens, num_prompt, max_tokens),
          "", "context_length_exceeded"};
}

}  // namespace

std::variant<Value, Reply> ParseOpenAiBody(const ApiCall& call) {
  if (!IsJsonType(call.content_type)) {
    return OpenAiError(415, "the Content-Type must be application/json");
  }
  auto body = ParseJson(call.body);
  if (!body) return OpenAiError(400, Format("the body is {}", body.error().message()));
  if (!body->is_object()) return OpenAiError(400, "the body must be a JSON object");
  return std::move(*body);
}

OpenAiOptions TakeOpenAiOptions(const ApiContext& context, OpenAiFields* fields) {
  OpenAiOptions options;
  TakeModel(context, fields);
  options.min_tokens = fields->Int("min_tokens", 0, kMaxInt).value_or(0);
  options.n = fields->Int("n", 1, kMaxChoicesPerPrompt).value_or(1);
  options.sampling = TakeSampling(fields);
  const auto seed = fields->Int("seed", std::numeric_limits<int64_t>::min(), kMaxInt);
  options.seeded = seed.has_value();
  options.sampling.seed = seed ? static_cast<uint64_t>(*seed) : FreshSeed();
  options.stop = fields->Texts("stop");
  options.end_strings = fields->Texts("end_strings");
  TakeStreaming(fields, &options);
  fields->Ignore(kIgnored);
  fields->Refuse(kRefused);
  return options;
}

std::variant<GenerateRequest, OpenAiFault> RequestOf(const ApiContext& context,
                                                     const OpenAiOptions& options,
                                                     std::vector<int32_t> prompt_ids,
                                                     int64_t choice, int64_t absent_max_tokens) {
  const int64_t num_prompt = std::ssize(prompt_ids);
  const int64_t room = context.max_sequence_tokens - num_prompt;
  GenerateRequest request;
  request.prompt_ids = std::move(prompt_ids);
  // Who names no number gets what the context holds; the last token needs no place in it.
  request.tokens_to_generate =
      options.max_tokens.value_or(std::min(absent_max_tokens, std::max<int64_t>(room, 1)));
  if (request.tokens_to_generate > room + 1) {
    return TooLong(context, num_prompt, request.tokens_to_generate);
  }
  request.min_tokens_to_generate = options.min_tokens;
  request.sampling = options.sampling;
  request.end_strings = options.end_strings;
  request.stop_strings = options.stop;
  // With a seed of its own each prompt of a list gets what it would get alone.
  request.draw_index = static_cast<uint32_t>(options.seeded ? choice % options.n : choice);
  request.logprobs = options.num_logprobs.has_value();
  request.top_logprobs = options.num_logprobs.value_or(0);
  request.logprobs_begin = request.logprobs ? num_prompt - 1 : 0;
  return request;
}

}  // namespace nemo
