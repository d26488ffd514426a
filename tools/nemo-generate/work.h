// What a run of nemo-generate has to do, the same on all ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/request.h"
#include "libcore/text/tokenizer.h"
#include "tools/common/source.h"
#include "tools/nemo-generate/answer_file.h"
#include "tools/nemo-generate/job.h"
#include "tools/nemo-generate/prompts.h"

namespace nemo {

/// What the ranks of a process share; read-only while they run.
struct Session {
  GenerateJob job;
  Checkpoint checkpoint;
  std::unique_ptr<Tokenizer> tokenizer;
  ParallelLayout layout;
  bool ranks_are_threads = true;
  int threads = 1;  ///< of each rank
  int device = 0;   ///< of the first rank of this process
};

/// Opens the checkpoint. kUnsupported: it has no tokenizer. kInvalidArgument: the layout does not
/// fit.
Result<Session> OpenSession(const GenerateJob& job);

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
