// The sum over ranks of what lies on their accelerators.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "tools/nemo-bench/comm/collective.h"

namespace nemo {

/// A rank's accelerator, and its part in the group. Both outlive the runs.
struct RankDevice {
  Backend* backend = nullptr;
  GroupSum* sum = nullptr;
};

/// "device_all_reduce"; its `prepare` is PrepareDeviceSum for the rank's device.
const CollectiveRow& DeviceSumRow();

/// kIo: out of memory.
Result<std::unique_ptr<CollectiveRun>> PrepareDeviceSum(const RankDevice& device,
                                                        Communicator& world, int64_t size_bytes);

}  // namespace nemo
