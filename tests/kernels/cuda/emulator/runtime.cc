#include "tests/kernels/cuda/emulator/runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace nemo::simt {

struct Graph {
  std::vector<std::function<bool()>> work;
};

/// Work that has to wait, and all that came after it, for the stream's thread.
struct Stream {
  explicit Stream(int on_device) : device(on_device) {}
  ~Stream() {
    {
      const std::lock_guard lock(mutex);
      ends = true;
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }

  bool is_idle() {
    const std::lock_guard lock(mutex);
    return late.empty();
  }
  void Put(std::function<bool()> work) {
    if (is_idle() && work()) return;
    const std::lock_guard lock(mutex);
    late.push_back(std::move(work));
    if (!thread.joinable()) thread = std::thread([this] { GoOn(); });
    changed.notify_all();
  }
  void GoOn() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ends || !late.empty(); });
      if (ends) return;
      std::function<bool()>& first = late.front();
      lock.unlock();
      const bool is_done = first();
      if (!is_done) std::this_thread::sleep_for(std::chrono::microseconds(20));
      lock.lock();
      if (is_done) late.pop_front();
      if (is_done) changed.notify_all();
    }
  }
  void Wait(const char* caller) {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, std::chrono::minutes(2), [this] { return late.empty(); })) return;
    std::fprintf(stderr, "%s waits for a call that waits for another rank\n", caller);
    std::abort();
  }

  const int device;
  Graph* capture = nullptr;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<bool()>> late;
  std::thread thread;
  bool ends = false;
};

struct Event {
  struct State {
    std::atomic<int> num_records{0}, num_passed{0};
    std::atomic<double> ms{0};
  };
  std::shared_ptr<State> state = std::make_shared<State>();
  Stream* stream = nullptr;
};

namespace {

struct Fault {
  cudaError_t error;
  int skip;
};

struct Driver {
  std::mutex mutex;
  int num_devices = 1;
  std::map<std::string, Fault> faults;
  std::map<std::string, int64_t> num_calls;
  struct Allocation {
    size_t size;
    int device;
  };
  std::map<void*, Allocation> allocations;
  std::set<std::shared_ptr<Stream>> streams;
};

Driver& TheDriver() {
  static auto* driver = new Driver;
  return *driver;
}

std::atomic<double> device_ms{0};
thread_local int current_device = 0;
constexpr size_t kTotalBytes = size_t{8} << 30;

cudaError_t Allocate(const char* function, void** data, size_t size) {
  if (const cudaError_t error = Called(function)) return error;
  if (size > kTotalBytes) return cudaErrorMemoryAllocation;
  void* const mapped = mmap(nullptr, std::max<size_t>(size, 1), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return cudaErrorMemoryAllocation;
  *data = mapped;
  std::memset(*data, 0xff, size);
  const std::lock_guard lock(TheDriver().mutex);
  TheDriver().allocations[*data] = {size, current_device};
  return cudaSuccess;
}

/// As on a device, memory is freed when all that was begun there has ended. The addresses are never
/// given out again: whoever still uses them ends the program.
cudaError_t Release(const char* function, void* data) {
  if (data == nullptr) return cudaSuccess;
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(TheDriver().mutex);
    const auto found = TheDriver().allocations.find(data);
    if (found == TheDriver().allocations.end()) return cudaErrorInvalidValue;
    for (const auto& stream : TheDriver().streams) {
      if (stream->device == found->second.device) streams.push_back(stream);
    }
  }
  for (const auto& stream : streams) stream->Wait(function);
  const std::lock_guard lock(TheDriver().mutex);
  const auto found = TheDriver().allocations.find(data);
  mmap(data, std::max<size_t>(found->second.size, 1), PROT_NONE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  TheDriver().allocations.erase(found);
  return cudaSuccess;
}

}  // namespace

void SetDevices(int count) {
  const std::lock_guard lock(TheDriver().mutex);
  TheDriver().num_devices = count;
}

void FailCall(const std::string& function, cudaError_t error, int skip) {
  const std::lock_guard lock(TheDriver().mutex);
  TheDriver().faults[function] = {error, skip};
}

int64_t NumCalls(const std::string& function) {
  const std::lock_guard lock(TheDriver().mutex);
  return TheDriver().num_calls[function];
}

int64_t AllocatedBytes() {
  const std::lock_guard lock(TheDriver().mutex);
  int64_t sum = 0;
  for (const auto& [data, allocation] : TheDriver().allocations) {
    sum += static_cast<int64_t>(allocation.size);
  }
  return sum;
}

void AddTime(double milliseconds) { device_ms = device_ms + milliseconds; }

cudaError_t Called(const char* function) {
  const std::lock_guard lock(TheDriver().mutex);
  Driver& driver = TheDriver();
  ++driver.num_calls[function];
  const auto fault = driver.faults.find(function);
  if (fault == driver.faults.end() || fault->second.skip-- > 0) return cudaSuccess;
  const cudaError_t error = fault->second.error;
  driver.faults.erase(fault);
  return error;
}

cudaError_t Enqueue(cudaStream_t stream, std::function<void()> work) {
  EnqueueLate(stream, [work = std::move(work)] {
    work();
    return true;
  });
  return cudaSuccess;
}

void EnqueueLate(cudaStream_t stream, std::function<bool()> work) {
  if (stream == nullptr) {
    while (!work()) Pause();
  } else if (stream->capture != nullptr) {
    stream->capture->work.push_back(std::move(work));
  } else {
    stream->Put(std::move(work));
  }
}

}  // namespace nemo::simt

namespace nemo::simt {

void StoreRelease(uint32_t* word, uint32_t value) {
  std::atomic_ref(*word).store(value, std::memory_order_release);
}
uint32_t LoadAcquire(const uint32_t* word) {
  return std::atomic_ref(*const_cast<uint32_t*>(word)).load(std::memory_order_acquire);
}
uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}
void Pause() { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

}  // namespace nemo::simt

using nemo::simt::Called;
using nemo::simt::Enqueue;
using nemo::simt::TheDriver;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    default:
      return "cudaErrorUnknown";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaGetDeviceCount(int* count) {
  if (const cudaError_t error = Called("cudaGetDeviceCount")) return error;
  const std::lock_guard lock(TheDriver().mutex);
  *count = TheDriver().num_devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  *properties = {"emulated", 9, 0, 4, 1 << 20, nemo::simt::kTotalBytes, 227 << 10, {}};
  properties->uuid.bytes[0] = static_cast<char>(device);
  return Called("cudaGetDeviceProperties");
}

cudaError_t cudaSetDevice(int device) {
  nemo::simt::current_device = device;
  return Called("cudaSetDevice");
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *free_bytes = *total_bytes = nemo::simt::kTotalBytes;
  return Called("cudaMemGetInfo");
}

cudaError_t cudaMalloc(void** data, size_t size) {
  return nemo::simt::Allocate("cudaMalloc", data, size);
}
cudaError_t cudaFree(void* data) { return nemo::simt::Release("cudaFree", data); }
cudaError_t cudaHostAlloc(void** data, size_t size, unsigned) {
  return nemo::simt::Allocate("cudaHostAlloc", data, size);
}
cudaError_t cudaFreeHost(void* data) { return nemo::simt::Release("cudaFreeHost", data); }

cudaError_t cudaMemsetAsync(void* data, int value, size_t size, cudaStream_t stream) {
  if (const cudaError_t error = Called("cudaMemsetAsync")) return error;
  return Enqueue(stream, [=] { std::memset(data, value, size); });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind,
                            cudaStream_t stream) {
  if (const cudaError_t error = Called("cudaMemcpyAsync")) return error;
  return Enqueue(stream, [=] { std::memcpy(to, from, size); });
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind, cudaStream_t stream) {
  if (const cudaError_t error = Called("cudaMemcpy2DAsync")) return error;
  return Enqueue(stream, [=] {
    for (size_t row = 0; row < height; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * to_pitch,
                  static_cast<const std::byte*>(from) + row * from_pitch, width);
    }
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (const cudaError_t error = Called("cudaStreamCreateWithFlags")) return error;
  auto made = std::make_shared<nemo::simt::Stream>(nemo::simt::current_device);
  *stream = made.get();
  const std::lock_guard lock(TheDriver().mutex);
  TheDriver().streams.insert(std::move(made));
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  stream->Wait("cudaStreamDestroy");
  std::shared_ptr<nemo::simt::Stream> last;  // its thread ends without the lock
  const std::lock_guard lock(TheDriver().mutex);
  const auto found = std::find_if(TheDriver().streams.begin(), TheDriver().streams.end(),
                                  [&](const auto& s) { return s.get() == stream; });
  last = *found;
  TheDriver().streams.erase(found);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
  stream->Wait("cudaStreamSynchronize");
  return Called("cudaStreamSynchronize");
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const cudaError_t error = Called("cudaStreamQuery");
  return error != cudaSuccess || stream->is_idle() ? error : cudaErrorNotReady;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  {
    const std::lock_guard lock(TheDriver().mutex);
    const auto found = TheDriver().allocations.find(const_cast<void*>(pointer));
    attributes->device = found == TheDriver().allocations.end() ? 0 : found->second.device;
  }
  return Called("cudaPointerGetAttributes");
}
cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) {
  return Called("cudaDeviceEnablePeerAccess");
}
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t*, void*) {
  return Called("cudaIpcGetMemHandle");
}
cudaError_t cudaIpcOpenMemHandle(void**, cudaIpcMemHandle_t, unsigned) {
  return cudaErrorNotSupported;  // ranks are threads here
}
cudaError_t cudaIpcCloseMemHandle(void*) { return Called("cudaIpcCloseMemHandle"); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  if (const cudaError_t error = Called("cudaEventCreateWithFlags")) return error;
  *event = new nemo::simt::Event;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  const int record = ++event->state->num_records;
  Enqueue(stream, [state = event->state, record] {
    state->ms = nemo::simt::device_ms.load();
    state->num_passed = record;
  });
  return Called("cudaEventRecord");
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const cudaError_t error = Called("cudaEventQuery");
  if (error != cudaSuccess) return error;
  return event->state->num_passed == event->state->num_records ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream != nullptr && cudaEventQuery(event) == cudaErrorNotReady) {
    event->stream->Wait("cudaEventSynchronize");
  }
  return Called("cudaEventSynchronize");
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  *ms = static_cast<float>(end->state->ms - begin->state->ms);
  return Called("cudaEventElapsedTime");
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (const cudaError_t error = Called("cudaStreamBeginCapture")) return error;
  stream->capture = new nemo::simt::Graph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->capture;
  stream->capture = nullptr;
  return Called("cudaStreamEndCapture");
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (const cudaError_t error = Called("cudaGraphInstantiate")) return error;
  *exec = new nemo::simt::Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return Called("cudaGraphExecDestroy");
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (const cudaError_t error = Called("cudaGraphLaunch")) return error;
  for (const auto& work : exec->work) nemo::simt::EnqueueLate(stream, work);
  return cudaSuccess;
}
