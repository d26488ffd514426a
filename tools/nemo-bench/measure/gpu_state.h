// Clocks, power and temperature of an NVIDIA GPU, from the driver's management library (NVML),
// which is looked for at run time.
#pragma once

#include <string>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// {"name", "sm_mhz", "memory_mhz", "watts", "celsius"} of GPU `index`, counted as nvidia-smi
/// counts; what it does not tell is null. kUnavailable: no NVML, no driver, no such GPU, in words.
Result<Value> GpuState(int index);
/// "NVIDIA H100 80GB HBM3: 1980 MHz, memory 2619 MHz, 350 W, 45 C".
std::string GpuStateText(const Value& state);
/// Both sides of a run, or why they are not known.
std::string DeviceStateText(const Result<Value>& before, const Result<Value>& after);

}  // namespace nemo
