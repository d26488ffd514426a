// One run of nemo-eval on all ranks.
#pragma once

#include "libcore/base/status.h"
#include "tools/common/tool.h"
#include "tools/nemo-eval/job.h"

namespace nemo {

/// Evaluates, or lists the tasks; rank 0 prints and writes. In other processes an error has an
/// empty message, because rank 0 tells it. Errors as RunInWorld, and of tasks, data and files.
Status RunJob(const EvalJob& job, const Console& console);

}  // namespace nemo
