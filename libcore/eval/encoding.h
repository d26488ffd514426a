// From texts to the ids that a model is fed, as lm-evaluation-harness 0.4.13 does it (api/model.py,
// models/huggingface.py): where context and continuation part, what is cut, when bos stands in
// front.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/text/tokenizer.h"

namespace nemo::eval {

struct EncodingOptions {
  int64_t max_length = 0;  ///< tokens of one forward pass: the model's context, or fewer
  bool add_bos = false;    ///< bos in front of every text
};

/// Ids of which the last `num_scored` are asked about, each after all before it. At most
/// max_length + 1: the last is never fed.
struct ScoredIds {
  std::vector<int32_t> ids;
  int64_t num_scored = 0;
  int64_t num_context = 0;  ///< ids of the context before anything was cut
};

/// The context's ids and the continuation's. Blanks at the context's end belong to the
/// continuation, whose ids are the tail of those of both together. Cut from the left.
/// kInvalidArgument: a continuation without ids, or longer than max_length.
Result<ScoredIds> EncodeScored(const Tokenizer& tokenizer, std::string_view context,
                               std::string_view continuation, const EncodingOptions& options);

/// The context's ids, cut from the left so that `max_tokens` more fit. kInvalidArgument: max_tokens
/// alone fill max_length.
Result<std::vector<int32_t>> EncodeContext(const Tokenizer& tokenizer, std::string_view context,
                                           int64_t max_tokens, const EncodingOptions& options);

/// Windows of max_length tokens that together ask about every token of `text` once: the first
/// begins with bos (eos where there is none), later ones with as much as fits of what came before.
Result<std::vector<ScoredIds>> EncodeRolling(const Tokenizer& tokenizer, std::string_view text,
                                             const EncodingOptions& options);

}  // namespace nemo::eval
