// One run of nemo-generate on all ranks: threads of this process, or the processes of mpirun or
// srun.
#pragma once

#include "libcore/base/status.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/job.h"

namespace nemo {

/// Runs the job; rank 0 gives the answers out (answers.h). In other processes an error has an empty
/// message, because rank 0 tells it. kInvalidArgument: the layout does not fit the model, or has
/// not as many ranks as there are processes; a prompt that does not fit the context; an --output
/// that is in the way. Errors of files, devices and peers as those give them.
Status RunJob(const GenerateJob& job, const Console& console);

}  // namespace nemo
