// The fields of NeMo's PUT /generate: their checks, in NeMo's order and with its error texts.
// Facts: nemo/collections/nlp/modules/common/text_generation_server.py, and the answers of that
// handler which tests/libcore/serve/nemo_api_test.cc replays. docs/serving-api.md lists the fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libcore/base/value.h"

namespace nemo {

struct NemoParams {
  std::vector<std::string> sentences;
  int64_t tokens_to_generate = 64;
  int64_t min_tokens_to_generate = 0;
  bool greedy = false, add_bos = false, compute_logprob = false, all_probs = false;
  double temperature = 1.0, top_p = 0.9, repetition_penalty = 1.0;
  double top_k = 0;  ///< NeMo lets fractions through
  std::vector<std::string> end_strings = {"<|endoftext|>"};
  std::optional<int64_t> random_seed;
};

/// What NeMo makes of a field that fails its check.
struct NemoFault {
  enum class Kind {
    kText,      ///< the text alone, with status 200
    kTooMany,   ///< the text alone, with status 400
    kInternal,  ///< an exception of NeMo's: 500. `text` says what is wrong all the same
  };
  Kind kind = Kind::kText;
  std::string text;
};

/// The parameters, or the first fault. `strict` also refuses fields that NeMo does not know or
/// takes for something else: `sentences` as one text (to NeMo a list of letters), none at all, a
/// broken `top_k`.
std::variant<NemoParams, NemoFault> ParseNemoParams(const Value& body, bool strict);

}  // namespace nemo
