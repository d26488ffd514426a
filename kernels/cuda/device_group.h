// Sums over the ranks of a group that stay on their devices: the one-shot kernel for small messages
// and wherever the order of the sum is promised, NCCL for large ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/group_plan.h"
#include "kernels/cuda/nccl_group.h"
#include "kernels/cuda/one_shot.h"
#include "kernels/cuda/stream_watch.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"

namespace nemo::cuda {

/// Not thread-safe. `device` and `watch` outlive it.
class DeviceGroup final : public GroupSum {
 public:
  /// Collective over `group`. nullptr: the ranks can only sum through the host. kInvalidArgument:
  /// ranks were started differently.
  static Result<std::unique_ptr<DeviceGroup>> Join(Device& device, StreamWatch& watch,
                                                   Communicator& group, bool deterministic,
                                                   int64_t deadline_ms);
  ~DeviceGroup() override;

  Status AllReduceSum(float* data, int64_t count) override;
  std::string Describe() const override;
  /// kUnavailable, with the rank that was waited for: a sum did not end in time.
  Status Check();
  /// Ends what waits for peers; the group is of no use after.
  void Abort();
  /// Whether sums of some sizes are NCCL's, which wait without an end of their own.
  bool has_nccl() const { return nccl_ != nullptr; }

 private:
  DeviceGroup(Device& device, StreamWatch& watch, int rank, int size, int64_t deadline_ms)
      : device_(device), watch_(watch), rank_(rank), size_(size), deadline_ms_(deadline_ms) {}
  Status AllocateSegment(RankFacts& facts);
  Status MapSegments(const std::vector<RankFacts>& ranks);
  Status MapSegment(const RankFacts& facts, SumSegment** segment);
  void Leave();
  Status OneShot(float* data, int64_t count);

  Device& device_;
  StreamWatch& watch_;
  const int rank_, size_;
  const int64_t deadline_ms_;
  std::vector<std::shared_ptr<DeviceBuffer>> held_;  // segments of this process
  std::vector<void*> opened_;                        // segments of other processes
  OneShotParams params_ = {};
  bool has_one_shot_ = false;
  uint32_t* missing_ = nullptr;  // pinned
  std::unique_ptr<NcclGroup> nccl_;
};

}  // namespace nemo::cuda
