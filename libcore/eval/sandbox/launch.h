// The parent's side of one run: makes the caged process, waits for its verdict, ends it.
#pragma once

#include <string_view>

#include "libcore/base/status.h"
#include "libcore/eval/sandbox/interpreter.h"
#include "libcore/eval/sandbox/sandbox.h"

namespace nemo {

/// Runs `program` behind exactly `layers`. Thread-safe. kIo: the cage could not be set up, with
/// the step and the system's reason; nothing of the program ran.
Result<Verdict> RunCaged(const Interpreter& python, const SandboxLayers& layers,
                         const SandboxLimits& limits, std::string_view program);

}  // namespace nemo
