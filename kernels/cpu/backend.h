// The CPU backend: the operations of kernels/reference, fast, with the same bits whatever the
// instruction set and the number of threads, unless AMX was asked for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Uses `options.num_threads` and `options.isa`. kInvalidArgument: an instruction set that is
/// unknown or that this machine lacks, a negative number of threads. Isa "auto" is the fastest with
/// the bits of the others. "amx" has bits of its own: its products add 16 pairs at once, in the
/// processor's order; a row's result still does not depend on the batch or the threads.
Result<std::unique_ptr<Backend>> CreateCpuBackend(const BackendOptions& options);

/// The instruction sets with equal bits that this machine has, fastest first; never empty.
std::vector<std::string> AvailableIsas();

}  // namespace nemo
