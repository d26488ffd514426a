// What pipeline stages hand on from device to device: NCCL, a group of two for each pair of
// neighbours, so that nobody else has to agree on the order of its calls.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cuda/device.h"
#include "kernels/cuda/nccl_group.h"
#include "kernels/cuda/stream_watch.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"

namespace nemo::cuda {

/// Not thread-safe. `device` and `watch` outlive it.
///
/// Both ways are calls on the device's stream, among the stage's own: memory that is sent is not
/// overwritten before it has left, and no copy is made. A pair's calls have the order of steps on
/// both sides. Every call waits only for an earlier step of a later stage, or for the same step of
/// an earlier one, so no circle of waiting can close, however many steps are under way.
class DeviceLink final : public StageLink {
 public:
  /// Collective over `world`. nullptr, on all ranks: some share a device, or have no NCCL, or could
  /// not start it.
  static Result<std::unique_ptr<DeviceLink>> Join(Device& device, StreamWatch& watch,
                                                  Communicator& world,
                                                  const StageNeighbours& neighbours,
                                                  int64_t deadline_ms);

  Status Send(const void* data, int64_t size_bytes) override;
  Status Recv(void* data, int64_t size_bytes) override;
  /// kUnavailable: NCCL has seen a neighbour fail.
  Status Check();
  /// Ends what waits for neighbours; the link is of no use after.
  void Abort();

 private:
  DeviceLink(Device& device, StreamWatch& watch, int rank, const StageNeighbours& neighbours)
      : device_(device), watch_(watch), rank_(rank), neighbours_(neighbours) {}
  Status Start(const NcclId& upstream, const NcclId& downstream, int64_t deadline_ms);

  Device& device_;
  StreamWatch& watch_;
  const int rank_;
  const StageNeighbours neighbours_;
  std::unique_ptr<NcclGroup> upstream_, downstream_;  // with the stage before, with the one after
};

}  // namespace nemo::cuda
