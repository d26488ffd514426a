// What nemo-generate was asked to do: its flags as data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/runtime/sampler.h"
#include "tools/common/flag.h"
#include "tools/common/layout_flags.h"

namespace nemo {

struct GenerateJob {
  std::string source;
  // Prompts.
  std::vector<std::string> prompts;
  std::string prompts_file;  ///< "-": standard input
  bool add_bos = false;
  // Sampling: the defaults of NeMo's server.
  int64_t tokens_to_generate = 64;
  int64_t min_tokens_to_generate = 0;
  SamplingParams sampling;
  int64_t seed = -1;  ///< -1: a new one
  std::vector<std::string> end_strings;
  // Answer.
  bool logprobs = false;
  bool all_probs = false;
  bool stream = false;
  // Machine.
  LayoutOptions layout;
  std::string backend;
  std::string isa = "auto";
  std::string dtype_profile = "megatron";
  int64_t prefill_chunk = 0;
  int64_t max_batch_size = 8;

  /// Temperature 0 means the same.
  bool greedy() const { return sampling.greedy || sampling.temperature == 0; }
};

/// The flag table; defaults are in `job`.
std::vector<FlagGroup> GenerateFlags(GenerateJob* job);

/// kInvalidArgument: flags that exclude one another.
Status CheckJob(const GenerateJob& job, bool json);

}  // namespace nemo
