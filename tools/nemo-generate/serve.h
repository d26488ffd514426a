// nemo-generate --serve: rank 0 answers HTTP, all ranks step (libcore/serve).
#pragma once

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/engine.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/work.h"

namespace nemo {

/// Sequences and KV cache of a server, the same on all ranks. kInvalidArgument: --kv-memory or
/// --max-sequence-tokens do not go with the model or with one another.
Result<EngineOptions> ServerEngineOptions(const Session& session);

/// Serves until a signal asks to stop; returns OK when what was accepted is answered. Collective
/// over `world`, the processes. kIo: the address is not to be had, found out before weights are
/// read. Errors of files, devices and peers as those give them.
Status RunServer(const Session& session, Communicator& world, const Console& console,
                 const RunAllRanks& run_ranks);

}  // namespace nemo
