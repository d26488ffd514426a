// Runs the ranks of a world as threads of this process.
#pragma once

#include <functional>

#include "kernels/comm/comm_options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

/// Calls body once per rank, each on a thread and with a communicator of its own, and waits for
/// all. When one returns an error the others are aborted; the first error comes back, with its rank
/// in front. kInvalidArgument: `size` < 1.
Status RunRanks(int size, const std::function<Status(Communicator&)>& body,
                const CommOptions& options = {});

}  // namespace nemo
