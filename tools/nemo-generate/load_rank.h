// What a run over prompts and a server have in common on each rank: backend, weights, engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/engine.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/work.h"

namespace nemo {

/// The engine refers to the backend, and to the world it was loaded in.
struct LoadedRank {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Engine> engine;
  double load_seconds = 0;

  std::string backend_name() const;  ///< "cpu (avx512)"
};

DTypeProfile ProfileOf(const GenerateJob& job);

/// Tokens of one step of at most `max_sequences` sequences.
int64_t StepTokens(const GenerateJob& job, int64_t max_sequences);

/// Collective over `world`; rank 0 reports progress. Errors of files, devices and peers as those
/// give them.
Result<LoadedRank> LoadRank(const Session& session, Communicator& world,
                            const EngineOptions& options, const Console& console);

}  // namespace nemo
