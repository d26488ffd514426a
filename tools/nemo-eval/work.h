// What a run of nemo-eval has to ask: its tasks with their samples, the same on all ranks.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/encoding.h"
#include "libcore/eval/plan.h"
#include "tools/common/model_world.h"
#include "tools/nemo-eval/job.h"

namespace nemo {

/// Tasks that differ from the catalog's.
using AdaptedTasks = std::vector<std::unique_ptr<eval::TaskSpec>>;

/// Puts --max-gen-tokens, --num-samples and what goes with that into the tasks of the selection,
/// which from then on refers to the result.
AdaptedTasks AdaptTasks(const EvalJob& job, eval::Selection& selection);

/// Reads the data, and makes prompts of it. Errors as TaskData, with the task.
Result<std::vector<eval::PlannedTask>> LoadTasks(const EvalJob& job,
                                                 const eval::Selection& selection);

/// Runs that agree in this get the same answers: model, arithmetic, and every question.
Result<std::string> KeyOf(const EvalJob& job, const ModelSession& session,
                          std::span<const eval::PlannedTask> tasks,
                          const eval::EncodingOptions& encoding);

}  // namespace nemo
