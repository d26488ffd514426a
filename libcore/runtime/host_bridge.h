// HostBridge: collectives speak host memory; this carries backend memory there and back. Where the
// two are the same, nothing is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

/// All methods wait for the backend's calls before they communicate through the host. Not
/// thread-safe.
class HostBridge {
 public:
  explicit HostBridge(Backend& backend) : backend_(backend) {}

  /// Collective: from now on sums over `group`, which outlives this, need not pass through the host
  /// where the backend has a shorter way.
  Status Join(Communicator& group);
  /// Collective over `world`, which outlives this: the same for what is posted to the stage after
  /// this one and received from the one before.
  Status Link(Communicator& world, const StageNeighbours& neighbours);
  /// True when a sum over `group` is a call of the backend like any other.
  bool SumsOnBackend(const Communicator& group) const {
    return group.size() == 1 || (sum_ != nullptr && &group == group_);
  }
  /// Sums `count` floats at `data` (backend memory) over the group, in place.
  Status AllReduceSum(Communicator& group, float* data, int64_t count);
  /// Communicator::Post of `size_bytes` at `data`, which later calls of the backend may overwrite.
  Status Post(Communicator& group, const void* data, int64_t size_bytes, int peer);
  Status Recv(Communicator& group, void* data, int64_t size_bytes, int peer);
  /// The bytes at `data` as the host sees them, valid until the next call.
  Result<std::span<const std::byte>> View(const void* data, int64_t size_bytes);
  /// Copies host values to backend memory.
  template <typename T>
  Status Put(T* data, std::span<const T> values) {
    return backend_.Upload(data, std::as_bytes(values));
  }

 private:
  Backend& backend_;
  const Communicator* group_ = nullptr;  // of sum_
  GroupSum* sum_ = nullptr;
  const Communicator* world_ = nullptr;  // of link_
  StageNeighbours neighbours_;
  StageLink* link_ = nullptr;
  std::vector<std::byte> staging_;
};

}  // namespace nemo
