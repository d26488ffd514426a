// Where prompts come from: flags, files, standard input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "tools/nemo-generate/job.h"

namespace nemo {

struct Prompt {
  std::string text;
  std::string where;  ///< for messages: "prompt 2", "prompts.jsonl: line 3"
  PromptParams params;
};

/// One line of a JSON lines file: a text, or an object with "prompt" and parameters under the names
/// of NeMo's server's request (tokens_to_generate, top_k, end_strings, ...), the others as in
/// `defaults`. Its "random_seed" is the prompt's own. kCorruption says what was expected.
Result<Prompt> ParsePromptLine(std::string_view line, const PromptParams& defaults);

/// Prompts of a text, one per line; lines without text are skipped. Errors name `where` and the
/// line. kInvalidArgument: there is none.
Result<std::vector<Prompt>> ParsePrompts(std::string_view text, bool jsonl,
                                         const std::string& where, const PromptParams& defaults);

/// --prompt, then --prompts; without either all of standard input, less one newline at its end.
/// Rank 0 reads, the others receive. Collective over `world`; an error of rank 0 reaches all.
/// kInvalidArgument: there is no prompt.
Result<std::vector<Prompt>> CollectPrompts(const GenerateJob& job, Communicator& world);

}  // namespace nemo
