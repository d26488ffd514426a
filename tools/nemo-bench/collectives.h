// nemo-bench collectives: what the ranks' communicator gives, as nccl-tests counts it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/comm/comm_options.h"
#include "tools/common/tool.h"
#include "tools/nemo-bench/report/output.h"
#include "tools/nemo-bench/target.h"

namespace nemo {

struct CollectivesOptions {
  std::vector<int64_t> ranks = {2};
  int64_t min_bytes = 1024;
  int64_t max_bytes = int64_t{16} << 20;
  int64_t factor = 4;
  int64_t runs = kEnoughRuns;
  std::string filter;
  BackendChoice backend;  ///< an accelerator: its sums too
  CommOptions comm;
  OutputOptions output;
};

Tool CollectivesTool(CollectivesOptions* options);

}  // namespace nemo
