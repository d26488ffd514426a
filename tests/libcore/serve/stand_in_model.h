// What the runtime would do with a request, without a model: the ids it "generates" are given, its
// log-probabilities follow from the position.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "libcore/base/check.h"
#include "libcore/runtime/generate.h"
#include "libcore/runtime/request.h"
#include "libcore/serve/exchange.h"
#include "libcore/text/decode_stream.h"
#include "libcore/text/tokenizer.h"

namespace nemo::testing {

class StandInModel {
 public:
  explicit StandInModel(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  static double LogprobAt(int64_t position) { return -0.125 * static_cast<double>(1 + position); }

  /// As many of `ids` as the request lets through.
  GenerateResult Run(const GenerateRequest& request, const std::vector<int32_t>& ids) const {
    GenerateResult result;
    result.token_ids = request.prompt_ids;
    result.num_prompt_tokens = std::ssize(request.prompt_ids);
    std::string text;
    DecodeStream stream(tokenizer_);
    NEMO_CHECK(stream.Skip(request.prompt_ids).ok());
    for (const int32_t id : ids) {
      if (std::ssize(result.token_ids) - result.num_prompt_tokens >= request.tokens_to_generate) {
        break;
      }
      result.token_ids.push_back(id);
      text += *stream.Add(id);
      const bool stopped =
          std::any_of(request.stop_strings.begin(), request.stop_strings.end(),
                      [&](const std::string& s) { return text.find(s) != std::string::npos; });
      if (id == tokenizer_.eos_id()) result.finish_reason = FinishReason::kEnd;
      if (stopped) result.finish_reason = FinishReason::kStop;
      if (result.finish_reason != FinishReason::kLength) break;
    }
    result.text = *tokenizer_.Decode(result.token_ids);
    for (const int32_t id : result.token_ids) result.tokens.push_back(tokenizer_.Piece(id));
    result.offsets = PieceOffsets(tokenizer_, result.token_ids);
    AddLogprobs(request, &result);
    return result;
  }

  /// The events of a result, as the runtime sends them; what the exchange makes of them.
  std::string Stream(Exchange* exchange, int64_t index, const GenerateResult& result) const {
    const GenerateRequest& request = exchange->requests()[index];
    DecodeStream stream(tokenizer_);
    NEMO_CHECK(stream.Skip(request.prompt_ids).ok());
    std::string sent;
    for (int64_t i = result.num_prompt_tokens; i < std::ssize(result.token_ids); ++i) {
      std::string text = *stream.Add(result.token_ids[i]);
      if (i + 1 == std::ssize(result.token_ids)) text += *stream.Finish();
      TokenEvent event{0, result.token_ids[i], text, 0, {}};
      if (request.logprobs) {
        event.logprob = result.logprob[i - 1 - request.logprobs_begin];
        event.top_logprobs = result.top_logprobs[i - 1 - request.logprobs_begin];
      }
      sent += exchange->OnToken(index, event);
    }
    return sent + exchange->OnFinished(index, result);
  }

 private:
  /// The token itself is the second likeliest at odd positions and the likeliest at even ones.
  void AddLogprobs(const GenerateRequest& request, GenerateResult* result) const {
    if (!request.logprobs) return;
    for (int64_t i = request.logprobs_begin; i + 1 < std::ssize(result->token_ids); ++i) {
      const TokenLogprob own{result->token_ids[i + 1], LogprobAt(i)};
      const int32_t other = static_cast<int32_t>((own.token_id + 1) % tokenizer_.vocab_size());
      std::vector<TokenLogprob> top = {own, {other, own.logprob - 1}};
      if (i % 2 == 1) top = {{other, own.logprob / 2}, own};
      top.resize(std::min<size_t>(top.size(), static_cast<size_t>(request.top_logprobs)));
      result->argmax.push_back(top.empty() ? own.token_id : top[0].token_id);
      result->logprob.push_back(own.logprob);
      result->top_logprobs.push_back(std::move(top));
    }
  }

  const Tokenizer& tokenizer_;
};

}  // namespace nemo::testing
