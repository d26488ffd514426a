#include "libcore/serve/nemo_api.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/serve/chance.h"
#include "libcore/serve/flask_answers.h"
#include "libcore/serve/nemo_params.h"

namespace nemo {
namespace {

Reply FaultReply(const NemoFault& fault, bool strict) {
  using Kind = NemoFault::Kind;
  if (strict) return FlaskMessage(400, fault.text);
  if (fault.kind == Kind::kInternal) return FlaskInternalError();
  return FlaskJson(fault.kind == Kind::kTooMany ? 400 : 200, Value(fault.text));
}

/// [[[-0.5,-1.0],...],...]: results, positions, tokens. Written without a tree of values, which
/// would be many times as large.
std::string FullLogprobText(const std::vector<GenerateResult>& results) {
  std::string text = "[";
  const auto separate = [&] {
    if (text.back() != '[') text += ',';
  };
  for (const GenerateResult& result : results) {
    separate();
    text += '[';
    for (const std::vector<float>& row : result.full_logprob) {
      separate();
      text += '[';
      for (const float logprob : row) {
        separate();
        AppendJsonNumber(logprob, &text);
      }
      text += ']';
    }
    text += ']';
  }
  return text + "]";
}

class NemoExchange final : public Exchange {
 public:
  NemoExchange(std::vector<GenerateRequest> requests, const NemoParams& params)
      : requests_(std::move(requests)),
        has_logprob_(params.compute_logprob),
        has_full_logprob_(params.all_probs) {}

  const std::vector<GenerateRequest>& requests() const override { return requests_; }

  Reply Answer(std::vector<GenerateResult> results) override {
    Value::Array logprob, offsets, sentences, token_ids, tokens;
    for (const GenerateResult& result : results) {
      logprob.push_back(Value::ArrayOf(result.logprob));
      offsets.push_back(Value::ArrayOf(result.offsets));
      sentences.emplace_back(result.text);
      Value::Array& ids = token_ids.emplace_back(Value::Array{}).as_array();
      for (const int32_t id : result.token_ids) ids.emplace_back(int64_t{id});
      tokens.push_back(Value::ArrayOf(result.tokens));
    }
    Value body;  // keys sorted, as Flask has them
    body.Set("logprob", has_logprob_ ? Value(std::move(logprob)) : Value());
    body.Set("offsets", std::move(offsets));
    body.Set("sentences", std::move(sentences));
    body.Set("token_ids", std::move(token_ids));
    body.Set("tokens", std::move(tokens));
    Reply reply = FlaskJson(200, body);
    if (has_full_logprob_) {
      reply.body.insert(
          1, Format("\"full_logprob\":{},", has_logprob_ ? FullLogprobText(results) : "null"));
    }
    return reply;
  }

  Reply Failure(int http_status, const std::string& message) const override {
    return FlaskMessage(http_status, message);
  }

 private:
  std::vector<GenerateRequest> requests_;
  bool has_logprob_, has_full_logprob_;
};

/// They are copied for each sentence, and looked for after each token.
Status CheckEndStrings(const std::vector<std::string>& end_strings) {
  constexpr size_t kMaxCount = 256, kMaxBytes = 16384;
  size_t num_bytes = 0;
  for (const std::string& end_string : end_strings) num_bytes += end_string.size();
  if (end_strings.size() <= kMaxCount && num_bytes <= kMaxBytes) return OkStatus();
  return InvalidArgument(Format("end_strings: {} with {} bytes; {} with {} are the most",
                                end_strings.size(), num_bytes, kMaxCount, kMaxBytes));
}

GenerateRequest RequestOf(const NemoParams& params, int64_t vocab_size) {
  GenerateRequest request;
  request.tokens_to_generate = params.tokens_to_generate;
  request.min_tokens_to_generate = params.min_tokens_to_generate;
  request.sampling.greedy = params.greedy;
  request.sampling.temperature = params.temperature;
  request.sampling.top_k =
      static_cast<int64_t>(std::min(std::floor(params.top_k), static_cast<double>(vocab_size)));
  request.sampling.top_p = params.top_p;
  request.sampling.repetition_penalty = params.repetition_penalty;
  request.sampling.seed =
      params.random_seed ? static_cast<uint64_t>(*params.random_seed) : FreshSeed();
  request.end_strings = params.end_strings;
  request.logprobs = params.compute_logprob;
  request.full_logprobs = params.compute_logprob && params.all_probs;
  return request;
}

Result<std::vector<GenerateRequest>> RequestsOf(const ApiContext& context,
                                                const NemoParams& params) {
  NEMO_RETURN_IF_ERROR(CheckEndStrings(params.end_strings));
  std::vector<GenerateRequest> requests;
  const int64_t vocab_size = context.tokenizer.vocab_size();
  GenerateRequest common = RequestOf(params, vocab_size);
  int64_t num_full = 0;
  for (const std::string& sentence : params.sentences) {
    GenerateRequest& request = requests.emplace_back(common);
    NEMO_ASSIGN_OR_RETURN(request.prompt_ids,
                          EncodePrompt(context.tokenizer, sentence, params.add_bos));
    request.draw_index = static_cast<uint32_t>(requests.size() - 1);
    const int64_t room = context.max_sequence_tokens - std::ssize(request.prompt_ids);
    if (room < 1) {
      return InvalidArgument(
          Format("sentence {}: its {} tokens leave no room in the model's context of {} tokens",
                 requests.size() - 1, request.prompt_ids.size(), context.max_sequence_tokens));
    }
    request.tokens_to_generate = std::min(request.tokens_to_generate, room);
    if (request.full_logprobs) {
      num_full += (std::ssize(request.prompt_ids) + request.tokens_to_generate) * vocab_size;
    }
  }
  if (num_full > kMaxFullLogprobs) {
    return InvalidArgument(
        Format("all_probs would take {} numbers, and {} are the most; ask for fewer sentences or "
               "tokens, or leave all_probs out",
               num_full, kMaxFullLogprobs));
  }
  return requests;
}

}  // namespace

Opening OpenNemoGenerate(const ApiContext& context, const ApiCall& call) {
  if (!IsJsonType(call.content_type)) return FlaskNotJson();
  const auto body = ParseJson(call.body);
  if (!body) {
    return context.strict ? FlaskMessage(400, body.error().message()) : FlaskNotUnderstood();
  }
  const auto parsed = ParseNemoParams(*body, context.strict);
  if (const auto* fault = std::get_if<NemoFault>(&parsed)) {
    return FaultReply(*fault, context.strict);
  }
  const NemoParams& params = std::get<NemoParams>(parsed);
  auto requests = RequestsOf(context, params);
  if (!requests) return FlaskMessage(400, requests.error().message());
  auto exchange = std::make_unique<NemoExchange>(std::move(*requests), params);
  if (params.sentences.empty()) return exchange->Answer({});
  return exchange;
}

}  // namespace nemo
