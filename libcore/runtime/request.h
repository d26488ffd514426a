// What a caller asks of a model, and what it gets: one prompt, its parameters, its answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/sampler.h"

namespace nemo {

struct GenerateRequest {
  std::vector<int32_t> prompt_ids;     ///< at least one (EncodePrompt)
  int64_t tokens_to_generate = 64;     ///< 0: score the prompt only
  int64_t min_tokens_to_generate = 0;  ///< before these, eos is not chosen; end strings still end
  SamplingParams sampling;
  std::vector<std::string> end_strings;  ///< eos always ends
  /// Generation ends when the generated text (not the prompt's) contains one of them.
  std::vector<std::string> stop_strings;
  uint32_t draw_index = 0;  ///< separates the random draws of requests with one seed
  bool logprobs = false;
  int64_t logprobs_begin = 0;  ///< the first position whose row is wanted: scoring skips a context
  int64_t top_logprobs = 0;    ///< with logprobs: so many of the likeliest tokens of each row
  bool full_logprobs = false;  ///< with logprobs: whole rows, known to rank 0 only
  bool token_texts = true;  ///< the events of its tokens have their text, which costs some decoding
};

/// The most that GenerateRequest::top_logprobs may say.
inline constexpr int64_t kMaxTopLogprobs = 20;

struct TokenLogprob {
  int32_t token_id = -1;
  double logprob = 0;
  bool operator==(const TokenLogprob&) const = default;
};

/// Tokens that go through the model at most, and so need room in the KV cache.
int64_t FedTokens(const GenerateRequest& request);

/// What a machine can hold.
struct RequestLimits {
  int64_t max_sequence_tokens = 0;  ///< that go through the model: FedTokens
  int64_t vocab_size = 0;
  int64_t kv_pages = 0;  ///< of kPageTokens tokens, for all that runs
};

/// kInvalidArgument: parameters out of range, ids outside the vocabulary, or more tokens than the
/// context or the KV cache can ever hold, with the limit. What passes can be run.
Status CheckRequest(const GenerateRequest& request, const RequestLimits& limits);

enum class FinishReason {
  kLength,
  kEnd,   ///< eos or an end string
  kStop,  ///< a stop string
};

struct GenerateResult {
  std::vector<int32_t> token_ids;  ///< prompt and generation
  int64_t num_prompt_tokens = 0;
  std::string text;                 ///< of all token_ids
  std::vector<std::string> tokens;  ///< pieces
  std::vector<int64_t>
      offsets;  ///< of each token: characters of the pieces before it, specials count none
  /// With logprobs, element i is about position logprobs_begin + i: log p(next token | up to it),
  /// over the real vocabulary, from untouched logits, up to the token before the last.
  std::vector<double> logprob;
  std::vector<int32_t> argmax;  ///< the most likely token there, parallel to logprob
  /// Parallel to logprob: falling, the lower id first where equal, the same numbers as in logprob.
  std::vector<std::vector<TokenLogprob>> top_logprobs;
  std::vector<std::vector<float>> full_logprob;  ///< rank 0 only
  FinishReason finish_reason = FinishReason::kLength;
  double first_token_ms = 0;  ///< from Add to the first generated token; 0 without one
  double total_ms = 0;        ///< from Add to the end
};

}  // namespace nemo
