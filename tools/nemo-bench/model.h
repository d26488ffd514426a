// nemo-bench model: a whole model's prefill and decode, in llama-bench's names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/comm/comm_options.h"
#include "tools/common/tool.h"
#include "tools/nemo-bench/report/output.h"
#include "tools/nemo-bench/target.h"

namespace nemo {

struct ModelOptions {
  std::string source;
  std::string layout;
  BackendChoice backend;
  CommOptions comm;
  std::vector<int64_t> prompts = {512};
  std::vector<int64_t> generated = {128};
  int64_t texts = 0;
  int64_t questions = 0;
  std::vector<int64_t> batches = {1, 8, 32};
  int64_t repetitions = 5;
  int64_t prefill_chunk = 512;
  int64_t layers = 0;      ///< 0: all
  int64_t vocab_size = 0;  ///< 0: the model's, or with `layers` its share
  bool warm = false;
  bool check = false;
  int64_t check_tokens = 2;
  OutputOptions output;
};

Tool ModelTool(ModelOptions* options);

}  // namespace nemo
