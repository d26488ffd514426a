// Where prompts come from: flags, files, standard input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "tools/nemo-generate/job.h"

namespace nemo {

/// Prompts of a text: one per line, lines without text skipped; with `jsonl` each line is a JSON
/// text or an object with "prompt". kCorruption names `where` and the line.
Result<std::vector<std::string>> ParsePrompts(std::string_view text, bool jsonl,
                                              const std::string& where);

/// --prompt, then --prompts; without either all of standard input, less one newline at its end.
/// kInvalidArgument: there is none. Only one rank may call it: standard input can be read once.
Result<std::vector<std::string>> CollectPrompts(const GenerateJob& job);

/// Rank 0 collects, the others receive. Collective over `world`; an error of rank 0 reaches all.
Result<std::vector<std::string>> SharePrompts(const GenerateJob& job, Communicator& world);

}  // namespace nemo
