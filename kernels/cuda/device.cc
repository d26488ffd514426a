#include "kernels/cuda/device.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "kernels/cuda/kernels.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

std::string ErrorText(cudaError_t error) {
  return Format("{} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

}  // namespace

Status CudaStatus(cudaError_t error, std::string_view call) {
  if (error == cudaSuccess) return OkStatus();
  cudaGetLastError();  // an error that can be forgotten must not answer for the next call
  const std::string message = Format("{}: {}", call, ErrorText(error));
  return error == cudaErrorMemoryAllocation ? IoError(message) : Unavailable(message);
}

DeviceBuffer::~DeviceBuffer() { cudaFree(data_); }

Result<int> CountDevices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return Unavailable(Format("no CUDA device: the driver reports {}", ErrorText(error)));
  }
  if (count == 0) return Unavailable("no CUDA device: the driver reports 0 devices");
  return count;
}

Result<std::unique_ptr<Device>> Device::Open(int index) {
  NEMO_ASSIGN_OR_RETURN(const int count, CountDevices());
  if (index < 0)
    return InvalidArgument(Format("CUDA device {} was asked for: they count from 0", index));
  index %= count;
  cudaDeviceProp properties;
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties"));
  std::unique_ptr<Device> device(new Device(index, properties));
  NEMO_RETURN_IF_ERROR(device->Start().At(device->name_));
  return device;
}

Device::Device(int index, const cudaDeviceProp& properties)
    : index_(index),
      name_(Format("CUDA device {} ({})", index, properties.name)),
      architecture_(Format("sm_{}{}", properties.major, properties.minor)),
      num_multiprocessors_(properties.multiProcessorCount) {
  static_assert(sizeof properties.uuid == std::tuple_size_v<decltype(uuid_)>);
  std::memcpy(uuid_.data(), &properties.uuid, uuid_.size());
}

Device::~Device() {
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Status Device::Enter() const { return CudaStatus(cudaSetDevice(index_), "cudaSetDevice"); }

Status Device::Start() {
  NEMO_RETURN_IF_ERROR(Enter());
  if (const Status code = CudaStatus(CheckMachineCode(), "cudaFuncGetAttributes"); !code.ok()) {
    return Unavailable(
        Format("{}; this build may have no machine code for {}: configure with "
               "-DCMAKE_CUDA_ARCHITECTURES={}",
               code.message(), architecture_, architecture_.substr(3)));
  }
  return CudaStatus(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                    "cudaStreamCreateWithFlags");
}

Status Device::OutOfMemory(int64_t size_bytes) const {
  size_t free_bytes = 0, total_bytes = 0;
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo"));
  return IoError(Format(
      "{}: out of memory: {} more were asked for and {} of {} are free; use a smaller batch, "
      "fewer KV pages, or more ranks",
      name_, FormatBytes(size_bytes), FormatBytes(static_cast<int64_t>(free_bytes)),
      FormatBytes(static_cast<int64_t>(total_bytes))));
}

Result<std::unique_ptr<DeviceBuffer>> Device::Allocate(int64_t size_bytes) {
  if (size_bytes < 0) {
    return InvalidArgument(Format("cannot allocate a buffer of {} bytes", size_bytes));
  }
  NEMO_RETURN_IF_ERROR(Enter());
  void* data = nullptr;
  // An empty buffer has an address too.
  const auto size = static_cast<size_t>(std::max<int64_t>(size_bytes, 1));
  const Status allocated = CudaStatus(cudaMalloc(&data, size), "cudaMalloc");
  if (allocated.code() == StatusCode::kIo) return OutOfMemory(size_bytes);
  NEMO_RETURN_IF_ERROR(allocated.At(name_));
  auto buffer = std::make_unique<DeviceBuffer>(data, size_bytes);
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaMemsetAsync(data, 0, size, stream_), "cudaMemsetAsync"));
  return buffer;
}

Status Device::Download(std::span<std::byte> host, const void* device) {
  if (host.empty()) return OkStatus();
  NEMO_RETURN_IF_ERROR(Enter());
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaMemcpyAsync(host.data(), device, host.size(), cudaMemcpyDeviceToHost, stream_),
                 "cudaMemcpyAsync from the device"));
  return Synchronize();
}

Status Device::Synchronize() {
  NEMO_RETURN_IF_ERROR(Enter());
  // A kernel that waits for a peer which is gone would keep a plain wait for ever.
  while (check_ != nullptr && cudaStreamQuery(stream_) == cudaErrorNotReady) {
    NEMO_RETURN_IF_ERROR(check_().At(name_));
    std::this_thread::yield();
  }
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaStreamSynchronize(stream_), "cudaStreamSynchronize").At(name_));
  return check_ == nullptr ? OkStatus() : check_().At(name_);
}

Status Device::WaitFor(cudaEvent_t event) {
  NEMO_RETURN_IF_ERROR(Enter());
  while (check_ != nullptr && cudaEventQuery(event) == cudaErrorNotReady) {
    NEMO_RETURN_IF_ERROR(check_().At(name_));
    std::this_thread::yield();
  }
  return CudaStatus(cudaEventSynchronize(event), "cudaEventSynchronize");
}

Status Device::AllowAccessTo(const void* memory) {
  NEMO_RETURN_IF_ERROR(Enter());
  cudaPointerAttributes attributes;
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaPointerGetAttributes(&attributes, memory), "cudaPointerGetAttributes"));
  if (attributes.device == index_) return OkStatus();
  const cudaError_t error = cudaDeviceEnablePeerAccess(attributes.device, 0);
  if (error != cudaErrorPeerAccessAlreadyEnabled) {
    return CudaStatus(error, "cudaDeviceEnablePeerAccess");
  }
  cudaGetLastError();
  return OkStatus();
}

}  // namespace nemo::cuda
