#include "tools/nemo-bench/measure/gpu_state.h"

#include <dlfcn.h>
#include <string>

#include "libcore/base/format.h"

namespace nemo {
namespace {

// The few declarations of nvml.h that are used; its functions return 0 when they could.
using NvmlDevice = struct NvmlDeviceTag*;
constexpr unsigned kSmClock = 1, kMemoryClock = 2, kGpuTemperature = 0;

class Nvml {
 public:
  static Result<Nvml> Load() {
    Nvml nvml;
    nvml.library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (nvml.library_ == nullptr) return Unavailable(Format("no NVML: {}", dlerror()));
    const auto start = nvml.Find<int()>("nvmlInit_v2");
    if (start == nullptr) return Unavailable("libnvidia-ml.so.1 has no nvmlInit_v2");
    if (const int code = start(); code != 0) return Unavailable(nvml.Text("nvmlInit", code));
    return nvml;
  }

  Result<NvmlDevice> Device(int index) const {
    const auto get = Find<int(unsigned, NvmlDevice*)>("nvmlDeviceGetHandleByIndex_v2");
    NvmlDevice device = nullptr;
    const int code = get == nullptr ? -1 : get(static_cast<unsigned>(index), &device);
    if (code != 0) return Unavailable(Text(Format("GPU {}", index), code));
    return device;
  }

  Value Name(NvmlDevice device) const {
    const auto get = Find<int(NvmlDevice, char*, unsigned)>("nvmlDeviceGetName");
    char name[96] = "";
    if (get == nullptr || get(device, name, sizeof name) != 0) return Value();
    return Value(std::string(name));
  }
  Value Clock(NvmlDevice device, unsigned kind) const {
    return Number(Find<int(NvmlDevice, unsigned, unsigned*)>("nvmlDeviceGetClockInfo"), 1, device,
                  kind);
  }
  Value Watts(NvmlDevice device) const {
    return Number(Find<int(NvmlDevice, unsigned*)>("nvmlDeviceGetPowerUsage"), 1e-3, device);
  }
  Value Celsius(NvmlDevice device) const {
    return Number(Find<int(NvmlDevice, unsigned, unsigned*)>("nvmlDeviceGetTemperature"), 1, device,
                  kGpuTemperature);
  }

 private:
  template <typename Function>
  Function* Find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }
  template <typename Function, typename... Arguments>
  static Value Number(Function* get, double scale, Arguments... arguments) {
    unsigned value = 0;
    if (get == nullptr || get(arguments..., &value) != 0) return Value();
    return Value(value * scale);
  }
  std::string Text(const std::string& what, int code) const {
    const auto text = Find<const char*(int)>("nvmlErrorString");
    return Format("{}: NVML says {}", what, text == nullptr ? Format("{}", code) : text(code));
  }

  void* library_ = nullptr;  // stays loaded
};

std::string Figure(const Value& state, const char* key, const char* unit) {
  const Value* value = state.Find(key);
  if (value == nullptr || !value->is_number()) return Format("? {}", unit);
  return Format("{:.0f} {}", value->as_double(), unit);
}

}  // namespace

Result<Value> GpuState(int index) {
  NEMO_ASSIGN_OR_RETURN(const Nvml nvml, Nvml::Load());
  NEMO_ASSIGN_OR_RETURN(const NvmlDevice device, nvml.Device(index));
  Value state;
  state.Set("name", nvml.Name(device));
  state.Set("sm_mhz", nvml.Clock(device, kSmClock));
  state.Set("memory_mhz", nvml.Clock(device, kMemoryClock));
  state.Set("watts", nvml.Watts(device));
  state.Set("celsius", nvml.Celsius(device));
  return state;
}

std::string GpuStateText(const Value& state) {
  const Value* name = state.Find("name");
  return Format("{}: {}, memory {}, {}, {}",
                name != nullptr && name->is_string() ? name->as_string() : "GPU",
                Figure(state, "sm_mhz", "MHz"), Figure(state, "memory_mhz", "MHz"),
                Figure(state, "watts", "W"), Figure(state, "celsius", "C"));
}

std::string DeviceStateText(const Result<Value>& before, const Result<Value>& after) {
  if (!before || !after) {
    return Format("clocks and power of the device are not known: {}",
                  (before ? after : before).error().message());
  }
  return Format("before, {}; after, {}", GpuStateText(*before), GpuStateText(*after));
}

}  // namespace nemo
