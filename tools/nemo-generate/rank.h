// What one rank of nemo-generate does, thread or process.
#pragma once

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/answers.h"
#include "tools/nemo-generate/report.h"
#include "tools/nemo-generate/work.h"

namespace nemo {

/// Loads this rank's weights and runs what is pending. Collective over `world`. Rank 0 hands the
/// answers to `sink`, reports progress and fills in `report`; the others touch neither. kIo:
/// stopped by a signal, and errors of files, devices and peers as those give them.
Status RunRank(const Session& session, const Work& work, Communicator& world,
               const Console& console, AnswerSink& sink, RunReport* report);

}  // namespace nemo
