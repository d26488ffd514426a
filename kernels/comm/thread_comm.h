// Ranks that are threads of one process: any layout runs, and is tested, without a launcher.
#pragma once

#include <memory>
#include <vector>

#include "kernels/comm/comm_options.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

/// The world of `size` >= 1 ranks, one communicator each, to be used by one thread each. A rank
/// that destroys its communicator while a peer waits for it aborts the world.
std::vector<std::unique_ptr<Communicator>> MakeThreadGroup(int size,
                                                           const CommOptions& options = {});

/// A world of one rank.
std::unique_ptr<Communicator> MakeSelf();

}  // namespace nemo
