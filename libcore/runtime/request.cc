#include "libcore/runtime/request.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/runtime/page_book.h"

namespace nemo {
namespace {

Status CheckCounts(const GenerateRequest& request) {
  if (request.tokens_to_generate < 0 || request.min_tokens_to_generate < 0 ||
      request.logprobs_begin < 0) {
    return InvalidArgument(
        Format("tokens to generate {}, at least {}, log-probabilities from {}: none may be "
               "negative",
               request.tokens_to_generate, request.min_tokens_to_generate, request.logprobs_begin));
  }
  if (request.top_logprobs < 0 || request.top_logprobs > kMaxTopLogprobs) {
    return InvalidArgument(Format("{} likeliest tokens of each place: must be between 0 and {}",
                                  request.top_logprobs, kMaxTopLogprobs));
  }
  if (request.top_logprobs > 0 && !request.logprobs) {
    return InvalidArgument("likeliest tokens are asked for without log-probabilities");
  }
  if (std::ranges::any_of(request.stop_strings, &std::string::empty)) {
    return InvalidArgument("a stop string is empty; it would end every text before it begins");
  }
  return OkStatus();
}

Status CheckLength(const GenerateRequest& request, const RequestLimits& limits) {
  const int64_t num_prompt = std::ssize(request.prompt_ids);
  const int64_t limit = limits.max_sequence_tokens;
  if (num_prompt == 0) return InvalidArgument("the prompt has no tokens");
  // Fed is all but the last one; a sum could overflow.
  if (num_prompt - 1 > limit || request.tokens_to_generate > limit - (num_prompt - 1)) {
    return InvalidArgument(
        Format("a prompt of {} tokens and {} to generate do not fit the context of {} tokens, "
               "which all but the last one need; shorten the prompt or generate fewer",
               num_prompt, request.tokens_to_generate, limit));
  }
  return CheckPages(FedTokens(request), limits.kv_pages);
}

}  // namespace

int64_t FedTokens(const GenerateRequest& request) {
  // The last token of a sequence is never fed: nobody asks what follows it.
  return std::ssize(request.prompt_ids) + request.tokens_to_generate - 1;
}

Status CheckRequest(const GenerateRequest& request, const RequestLimits& limits) {
  NEMO_RETURN_IF_ERROR(CheckSampling(request.sampling));
  NEMO_RETURN_IF_ERROR(CheckCounts(request));
  NEMO_RETURN_IF_ERROR(CheckLength(request, limits));
  for (const int32_t id : request.prompt_ids) {
    if (id < 0 || id >= limits.vocab_size) {
      return InvalidArgument(
          Format("token id {} is outside the vocabulary of {}", id, limits.vocab_size));
    }
  }
  return OkStatus();
}

}  // namespace nemo
