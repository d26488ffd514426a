// One device as the backend uses it: errors as Status, memory, a stream.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <cuda_runtime_api.h>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo::cuda {

/// OK, or kUnavailable (kIo when memory ran out) with the failed call's name and the runtime's
/// words.
Status CudaStatus(cudaError_t error, std::string_view call);

/// Memory of a device, freed with the object.
class DeviceBuffer final : public Buffer {
 public:
  DeviceBuffer(void* data, int64_t size_bytes) : data_(data), size_bytes_(size_bytes) {}
  ~DeviceBuffer() override;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() override { return data_; }
  const void* data() const override { return data_; }
  int64_t size_bytes() const override { return size_bytes_; }

 private:
  void* data_;
  int64_t size_bytes_;
};

/// A device and a stream on it. Which thread calls does not matter; one at a time, but for Upload.
class Device {
 public:
  /// Device `index` modulo their number: ranks may share a device. kUnavailable: no device, or none
  /// of this build's machine code runs on it. kInvalidArgument: a negative index.
  static Result<std::unique_ptr<Device>> Open(int index);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Makes this the calling thread's device: what every use of the runtime begins with.
  Status Enter() const;
  /// Zeroed. kIo: out of memory, with the size. kInvalidArgument: a negative size.
  Result<std::unique_ptr<DeviceBuffer>> Allocate(int64_t size_bytes);
  /// Waits for the copy, and so for all that the stream was given before.
  Status Download(std::span<std::byte> host, const void* device);
  Status Synchronize();
  /// Until the stream has passed `event`.
  Status WaitFor(cudaEvent_t event);
  /// `check` is asked while Synchronize and WaitFor wait, and once at the end of Synchronize; its
  /// error ends the wait.
  void SetCheck(std::function<Status()> check) { check_ = std::move(check); }
  /// Lets this device's kernels use memory of another one of this process.
  Status AllowAccessTo(const void* memory);

  cudaStream_t stream() const { return stream_; }
  int num_multiprocessors() const { return num_multiprocessors_; }
  const std::array<char, 16>& uuid() const { return uuid_; }
  const std::string& name() const { return name_; }  ///< "CUDA device 0 (NVIDIA H100 80GB HBM3)"
  /// "sm_90": the architecture of the device, not of the code that was compiled for it.
  const std::string& architecture() const { return architecture_; }

 private:
  Device(int index, const cudaDeviceProp& properties);
  Status Start();
  Status OutOfMemory(int64_t size_bytes) const;

  int index_;
  std::string name_, architecture_;
  int num_multiprocessors_;
  std::array<char, 16> uuid_ = {};
  std::function<Status()> check_;
  cudaStream_t stream_ = nullptr;
};

/// Number of devices. kUnavailable: none, with the driver's words.
Result<int> CountDevices();

}  // namespace nemo::cuda
