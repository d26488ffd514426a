// The reference backend: every operation once, scalar, written to be read, for bf16 and for fp32
// activations. The other backends are tested against it, bit by bit where they promise it.
#pragma once

#include <memory>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Never fails; one thread, host memory.
std::unique_ptr<Backend> CreateReferenceBackend();
/// The same code as compiled for any processor; the same bits.
std::unique_ptr<Backend> CreatePortableReferenceBackend();

}  // namespace nemo
