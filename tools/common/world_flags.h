// The flag about the world of ranks, the same in every tool that makes one to compute in:
// --peer-timeout.
#pragma once

#include "kernels/comm/comm_options.h"
#include "tools/common/flag.h"

namespace nemo {

Flag PeerTimeoutFlag(CommOptions* options);

}  // namespace nemo
