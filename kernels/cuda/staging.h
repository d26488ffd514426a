// Copies to the device through pinned memory: while slots are on their way, the next is filled, by
// the same thread or by others.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/cuda/device.h"
#include "libcore/base/status.h"

namespace nemo::cuda {

/// Thread-safe. Slots are allocated when they are first used, and live as long as the object.
class Staging {
 public:
  static constexpr int kNumSlots = 8;  ///< two for each of the threads that usually load weights
  static constexpr int64_t kSlotBytes = int64_t{4} << 20;

  /// `device` outlives the object.
  explicit Staging(Device& device);
  ~Staging();

  /// Puts the copy of `host` to `device` on the device's stream; `host` may change on return. Waits
  /// only for a free slot.
  Status Upload(void* device, std::span<const std::byte> host);

  /// For what is uploaded to be rearranged on the device: copies `host` to a slot's device memory,
  /// and lets `enqueue` put on the stream what reads it there.
  Status UploadTo(std::span<const std::byte> host,
                  const std::function<Status(const void* staged)>& enqueue);

 private:
  struct Slot;
  class Lease;
  Result<Slot*> Acquire(int64_t size_bytes, bool on_device);
  Status Reserve(Slot& slot, int64_t size_bytes, bool on_device);
  void Release(Slot* slot);

  Device& device_;
  std::mutex mutex_;
  std::condition_variable released_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
};

}  // namespace nemo::cuda
