// What nemo-generate says of one answer, and of the run.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/value.h"
#include "libcore/runtime/request.h"
#include "tools/nemo-generate/job.h"

namespace nemo {

/// How a run went.
struct RunReport {
  std::string layout;   ///< "TP2 x PP2"
  std::string backend;  ///< "cpu (avx512)"
  uint64_t seed = 0;
  double load_seconds = 0;
  double generate_seconds = 0;
  int64_t num_answers = 0;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  double first_token_ms = 0;  ///< of the first prompt

  void Count(int64_t index, const GenerateResult& result);
  double tokens_per_second() const;
};

/// A table of the tokens of one answer with their log-probabilities.
std::string LogprobTable(const GenerateResult& result);

/// "seed" of what was drawn for a request, null where nothing is drawn.
Value SeedValue(const GenerateRequest& request);

/// The members of one prompt's answer under NeMo's names: "sentence", "tokens",
/// "token_ids", "logprob" (null unless asked for), "full_logprob" (only when asked for), "offsets";
/// and "seed", "prompt_tokens", "finish_reason" ("stop", "length").
Value AnswerValue(const PromptParams& params, const GenerateRequest& request,
                  const GenerateResult& result);

Value TimingValue(const RunReport& report);

/// One line for people: how many tokens, how fast, on what.
std::string Summary(const RunReport& report);

}  // namespace nemo
