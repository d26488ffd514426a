// The reference backend: every operation once, scalar, written to be read. The other backends are
// tested against it, bit by bit where they promise it.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Never fails; one thread, host memory.
std::unique_ptr<Backend> CreateReferenceBackend();

}  // namespace nemo
