#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::cuda {

struct Staging::Slot {
  ~Slot() {
    if (sent != nullptr) cudaEventDestroy(sent);
    cudaFreeHost(pinned);
  }

  std::byte* pinned = nullptr;
  int64_t size_bytes = 0;
  std::unique_ptr<DeviceBuffer> device;
  cudaEvent_t sent = nullptr;  // the last use of the slot's memory
};

/// Gives the slot back.
class Staging::Lease {
 public:
  Lease(Staging& staging, Slot* slot) : staging_(staging), slot_(slot) {}
  ~Lease() { staging_.Release(slot_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  Staging& staging_;
  Slot* slot_;
};

Staging::Staging(Device& device) : device_(device) {}

Staging::~Staging() {
  // What is still on its way reads the slots; errors were somebody else's to report.
  if (!slots_.empty()) (void)device_.Synchronize();
}

Result<Staging::Slot*> Staging::Acquire(int64_t size_bytes, bool on_device) {
  Slot* slot = nullptr;
  {
    std::unique_lock lock(mutex_);
    const bool all_under_way =
        free_.empty() || (free_.front()->sent != nullptr &&
                          cudaEventQuery(free_.front()->sent) == cudaErrorNotReady);
    if (all_under_way && std::ssize(slots_) < kNumSlots) {
      slots_.push_back(std::make_unique<Slot>());
      free_.insert(free_.begin(), slots_.back().get());
    }
    released_.wait(lock, [this] { return !free_.empty(); });
    // The one that was given back first: its copy is the most likely to be done.
    slot = free_.front();
    free_.erase(free_.begin());
  }
  const Status ready = Reserve(*slot, size_bytes, on_device);
  if (ready.ok()) return slot;
  Release(slot);
  return ready;
}

Status Staging::Reserve(Slot& slot, int64_t size_bytes, bool on_device) {
  NEMO_RETURN_IF_ERROR(device_.Enter());
  if (slot.sent == nullptr) {
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&slot.sent, cudaEventDisableTiming),
                                    "cudaEventCreateWithFlags"));
  } else {
    NEMO_RETURN_IF_ERROR(device_.WaitFor(slot.sent));
  }
  if (slot.size_bytes < size_bytes) {
    cudaFreeHost(std::exchange(slot.pinned, nullptr));
    slot.size_bytes = 0;
    void* data = nullptr;
    const int64_t size = std::max(size_bytes, kSlotBytes);
    NEMO_RETURN_IF_ERROR(
        CudaStatus(cudaHostAlloc(&data, static_cast<size_t>(size), cudaHostAllocDefault),
                   Format("cudaHostAlloc of {}", FormatBytes(size))));
    slot.pinned = static_cast<std::byte*>(data);
    slot.size_bytes = size;
  }
  if (on_device && (slot.device == nullptr || slot.device->size_bytes() < size_bytes)) {
    slot.device.reset();
    NEMO_ASSIGN_OR_RETURN(slot.device, device_.Allocate(slot.size_bytes));
  }
  return OkStatus();
}

void Staging::Release(Slot* slot) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }
  released_.notify_one();
}

Status Staging::Upload(void* device, std::span<const std::byte> host) {
  auto* to = static_cast<std::byte*>(device);
  while (!host.empty()) {
    const auto size = std::min<size_t>(host.size(), kSlotBytes);
    NEMO_ASSIGN_OR_RETURN(Slot* const slot, Acquire(static_cast<int64_t>(size), false));
    const Lease lease(*this, slot);
    std::memcpy(slot->pinned, host.data(), size);
    NEMO_RETURN_IF_ERROR(CudaStatus(
        cudaMemcpyAsync(to, slot->pinned, size, cudaMemcpyHostToDevice, device_.stream()),
        "cudaMemcpyAsync to the device"));
    NEMO_RETURN_IF_ERROR(
        CudaStatus(cudaEventRecord(slot->sent, device_.stream()), "cudaEventRecord"));
    host = host.subspan(size);
    to += size;
  }
  return OkStatus();
}

Status Staging::UploadTo(std::span<const std::byte> host,
                         const std::function<Status(const void* staged)>& enqueue) {
  NEMO_ASSIGN_OR_RETURN(Slot* const slot, Acquire(std::ssize(host), true));
  const Lease lease(*this, slot);
  std::memcpy(slot->pinned, host.data(), host.size());
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaMemcpyAsync(slot->device->data(), slot->pinned, host.size(),
                                                  cudaMemcpyHostToDevice, device_.stream()),
                                  "cudaMemcpyAsync to the device"));
  NEMO_RETURN_IF_ERROR(enqueue(slot->device->data()));
  return CudaStatus(cudaEventRecord(slot->sent, device_.stream()), "cudaEventRecord");
}

}  // namespace nemo::cuda
