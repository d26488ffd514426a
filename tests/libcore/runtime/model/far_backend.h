// A backend whose memory the host cannot touch, as an accelerator's: the CPU backend behind
// addresses that fault when they are read. Only its operations and its copies know the way.
#pragma once

#include <memory>

#include "libcore/runtime/backend.h"

namespace nemo::testing {

std::unique_ptr<Backend> MakeFarBackend(std::unique_ptr<Backend> near);

}  // namespace nemo::testing
