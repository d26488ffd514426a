// What one rank of nemo-generate does, thread or process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/request.h"
#include "libcore/text/tokenizer.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/job.h"
#include "tools/nemo-generate/run.h"

namespace nemo {

/// What the ranks of a process share; read-only while they run.
struct Session {
  GenerateJob job;
  Checkpoint checkpoint;
  std::unique_ptr<Tokenizer> tokenizer;
  ParallelLayout layout;
  int threads = 1;  ///< of each rank
  int device = 0;   ///< of the first rank of this process
};

/// Opens the checkpoint. kUnsupported: it has no tokenizer. kInvalidArgument: the layout does not
/// fit.
Result<Session> OpenSession(const GenerateJob& job);

/// The job's requests for `prompts`. kInvalidArgument: one that does not fit the context, before
/// any weight is read.
Result<std::vector<GenerateRequest>> MakeRequests(const Session& session,
                                                  const std::vector<std::string>& prompts);

/// Loads this rank's weights and generates. Collective over `world`. Rank 0 fills in `answer`,
/// reports progress, and prints tokens as they come when the job streams.
Status RunRank(const Session& session, const std::vector<GenerateRequest>& requests,
               Communicator& world, const Console& console, Answer* answer);

}  // namespace nemo
