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

/// All methods wait for the backend's calls before they communicate. Not thread-safe.
class HostBridge {
 public:
  explicit HostBridge(Backend& backend) : backend_(backend) {}

  /// Sums `count` floats at `data` (backend memory) over the group, in place.
  Status AllReduceSum(Communicator& group, float* data, int64_t count);
  /// Communicator::Post of `size_bytes` at `data`.
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
  std::vector<std::byte> staging_;
};

}  // namespace nemo
