// nemo-inspect --plan: which layouts of the model fit a set of GPUs.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/layout/capacity.h"
#include "tools/common/flag.h"

namespace nemo {

struct CapacityOptions {
  bool plan = false;
  int64_t gpus = 8;
  int64_t gpu_memory = 80'000'000'000;
  int64_t gpu_bandwidth = 3'350'000'000'000;  ///< bytes per second; H100 SXM by its data sheet
  int64_t gpus_per_node = 8;
};

FlagGroup CapacityFlags(CapacityOptions* options);
/// Errors of LayoutCapacities; kInvalidArgument: no layout has that many ranks.
Result<std::vector<LayoutCapacity>> PlanCapacities(const ModelConfig& config,
                                                   const CapacityOptions& options);
/// [{"tp", "pp", "fits", "weight_bytes", "kv_bytes_per_token", "kv_tokens",
/// "roofline_ms_per_token"}].
Value ToValue(const std::vector<LayoutCapacity>& capacities);
std::string ToText(const std::vector<LayoutCapacity>& capacities, const CapacityOptions& options);

}  // namespace nemo
