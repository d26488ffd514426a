// The CUDA backend: the operations of kernels/reference on an NVIDIA GPU, with the bits of the
// processor by construction (docs/cuda.md). The door of CUDA: nothing outside this folder includes
// its headers.
#pragma once

#include <memory>
#include <string>

#include "kernels/device_rates.h"
#include "kernels/options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// A backend with a stream of its own on device `options.device` modulo their number: ranks may
/// share a device, and a rank that its launcher shows only one device has that one, whatever its
/// index. May be used from any thread, one at a time. kUnavailable: no device (with the driver's
/// words), or one for which this build has no machine code. kInvalidArgument: a negative index.
Result<std::unique_ptr<Backend>> CreateCudaBackend(const BackendOptions& options);

/// What the device of `backend`, made by CreateCudaBackend, can do at best. Takes 2 GiB of its
/// memory for about a second. kIo: it has not so much.
Result<DeviceRates> ProbeCuda(Backend& backend);

/// y by the vendor's library alone (cuBLASLt), of any number of rows, for comparison. kUnsupported:
/// it has no such product, or is not here, or `backend` is deterministic.
Status CudaLibraryLinear(Backend& backend, const LinearArgs& args);
/// "cuBLASLt 13.0.2"; empty: it is not here.
std::string CudaLibraryName(Backend& backend);

/// True when the driver shows at least one device.
bool CudaAvailable();

}  // namespace nemo
