// What lies on the ranks' accelerators: its sum, and its way from rank to rank.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "tools/nemo-bench/comm/collective.h"

namespace nemo {

/// A rank's accelerator, and its part in the group. All outlive the runs.
struct RankDevice {
  Backend* backend = nullptr;
  GroupSum* sum = nullptr;
  StageLink* link = nullptr;  ///< with NeighboursOf; null: ranks send through the host
};

/// The ranks in a row, as pipeline stages of one rank.
StageNeighbours NeighboursOf(const Communicator& world);

/// "device_all_reduce"; its `prepare` is PrepareDeviceSum for the rank's device.
const CollectiveRow& DeviceSumRow();

/// kIo: out of memory.
Result<std::unique_ptr<CollectiveRun>> PrepareDeviceSum(const RankDevice& device,
                                                        Communicator& world, int64_t size_bytes);

/// "device_send_recv": each rank to the next, as stages do; its `prepare` is PrepareDeviceSend.
const CollectiveRow& DeviceSendRow();

/// kIo: out of memory. NEMO_CHECK: `device` has a link.
Result<std::unique_ptr<CollectiveRun>> PrepareDeviceSend(const RankDevice& device,
                                                         Communicator& world, int64_t size_bytes);

}  // namespace nemo
