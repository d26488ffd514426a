// nemo-bench kernels: every operation of a backend at the sizes of a model and a layout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/common/tool.h"
#include "tools/nemo-bench/report/output.h"
#include "tools/nemo-bench/target.h"

namespace nemo {

struct KernelsOptions {
  std::string model;
  std::string layout;
  BackendChoice backend;
  std::string filter;
  bool list = false;
  std::vector<int64_t> tokens = {1, 8, 32, 512};
  std::vector<int64_t> batches = {1, 8, 32};
  std::vector<int64_t> lengths = {512, 4096};
  int64_t runs = kEnoughRuns;
  double max_seconds = 60;
  bool no_check = false;
  bool no_peer = false;
  OutputOptions output;
};

Tool KernelsTool(KernelsOptions* options);

}  // namespace nemo
