// What /v1/completions and /v1/chat/completions have in common: sampling, stopping, streaming.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libcore/runtime/request.h"
#include "libcore/serve/api.h"
#include "libcore/serve/openai_fields.h"

namespace nemo {

struct OpenAiOptions {
  std::optional<int64_t> max_tokens;
  int64_t min_tokens = 0;
  int64_t n = 1;  ///< choices for each prompt
  SamplingParams sampling;
  bool seeded = false;  ///< the client named the seed
  std::vector<std::string> stop;
  std::vector<std::string> end_strings;  ///< NeMo's: they stay in the text
  std::optional<int64_t> num_logprobs;   ///< 0: of the tokens themselves
  bool stream = false, include_usage = false;
};

/// The body as an object, or the answer to one that is none.
std::variant<Value, Reply> ParseOpenAiBody(const ApiCall& call);

/// Reads the common fields; the routes read theirs before Finish. `max_tokens` and `num_logprobs`
/// are theirs as well.
OpenAiOptions TakeOpenAiOptions(const ApiContext& context, OpenAiFields* fields);

/// A request of `options` for `prompt_ids`; `choice` counts all choices of the call. A fault when
/// the prompt and what is to be generated do not fit the context; where nothing is said of that,
/// `absent_max_tokens` and the room that is left are the limits.
std::variant<GenerateRequest, OpenAiFault> RequestOf(const ApiContext& context,
                                                     const OpenAiOptions& options,
                                                     std::vector<int32_t> prompt_ids,
                                                     int64_t choice, int64_t absent_max_tokens);

}  // namespace nemo
