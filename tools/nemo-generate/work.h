// What a run of nemo-generate has to do, the same on all ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/request.h"
#include "tools/common/model_world.h"
#include "tools/nemo-generate/answer_file.h"
#include "tools/nemo-generate/job.h"
#include "tools/nemo-generate/prompts.h"

namespace nemo {

/// What was asked, and of which model; read-only while the ranks run.
struct Session {
  const GenerateJob& job;
  const ModelSession& model;
};

struct Work {
  std::vector<Prompt> prompts;
  std::vector<GenerateRequest> requests;  ///< parallel to prompts
  std::vector<int64_t> pending;           ///< what is not answered yet, ascending
  uint64_t seed = 0;
};

/// True when the answer depends on the seed of the run.
bool DrawsFromRunSeed(const Prompt& prompt);

/// The requests of `prompts`, without the run's seed. kInvalidArgument: one that does not fit the
/// context, before any weight is read.
Result<std::vector<GenerateRequest>> MakeRequests(const Session& session,
                                                  const std::vector<Prompt>& prompts);

/// Collects prompts, opens --output (`*file` on rank 0, else null), agrees on the seed. Collective
/// over `world`; an error of rank 0 reaches all.
Result<Work> PrepareWork(const Session& session, Communicator& world,
                         std::unique_ptr<AnswerFile>* file);

}  // namespace nemo
