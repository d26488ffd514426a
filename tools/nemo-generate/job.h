// What nemo-generate was asked to do: its flags as data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/runtime/sampler.h"
#include "tools/common/flag.h"
#include "tools/common/machine_flags.h"

namespace nemo {

/// Limits of what flags and prompt lines may say.
inline constexpr int64_t kMaxTokens = int64_t{1} << 24;
inline constexpr double kMaxTemperature = 100;

/// What is asked for one prompt; the defaults are those of NeMo's server.
struct PromptParams {
  bool add_bos = false;
  int64_t tokens_to_generate = 64;
  int64_t min_tokens_to_generate = 0;
  SamplingParams sampling;  ///< its seed is set when the run knows it
  int64_t seed = -1;        ///< -1: the run's
  std::vector<std::string> end_strings;
  bool logprobs = false;
  bool all_probs = false;

  /// Temperature 0 means the same.
  bool greedy() const { return sampling.greedy || sampling.temperature == 0; }
};

/// What only a server has.
struct ServeFlags {
  bool on = false;
  std::string host = "127.0.0.1";
  int64_t port = 1424;
  std::string api_key_file;
  std::string model_name;  ///< empty: the name of the source
  bool strict = false;
  bool nemo_only = false;
  bool log_prompts = false;
  // Limits; times in seconds.
  int64_t max_queue = 256;
  int64_t max_connections = 512;
  int64_t max_request_bytes = int64_t{16} << 20;
  int64_t max_sequence_tokens = 0;  ///< 0: the model's context
  int64_t kv_memory_bytes = 0;      ///< of each rank; 0: as much as a full batch can need
  int64_t read_timeout = 30;
  int64_t request_timeout = 600;
  int64_t drain_timeout = 60;
};

struct GenerateJob {
  std::string source;
  // Prompts.
  std::vector<std::string> prompts;
  std::string prompts_file;  ///< "-": standard input
  PromptParams params;       ///< of prompts that say nothing else
  int64_t seed = -1;         ///< of the run; -1: a new one
  // Answer.
  bool stream = false;
  std::string output;  ///< a file of answers, one a line; empty: standard output
  bool resume = false;
  bool force = false;
  MachineOptions machine;
  ServeFlags serve;
};

/// The flag table; defaults are in `job`.
std::vector<FlagGroup> GenerateFlags(GenerateJob* job);

/// kInvalidArgument: flags that exclude one another.
Status CheckJob(const GenerateJob& job, bool json);

}  // namespace nemo
