#include "tools/nemo-generate/load_rank.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernels/registry.h"
#include "libcore/base/format.h"
#include "libcore/runtime/weights.h"

namespace nemo {
namespace {

/// Tokens of one step on a host processor; runtime.md calls it the budget.
constexpr int64_t kStepTokens = 256;

/// Whole files that only together prove what was read of them. When all ranks have read theirs, one
/// of each process looks: threads share the source.
Status ProveWeights(const Session& session, Communicator& world) {
  NEMO_RETURN_IF_ERROR(world.Barrier());
  if (session.ranks_are_threads && world.rank() != 0) return OkStatus();
  return session.checkpoint.source->ProveReads();
}

}  // namespace

std::string LoadedRank::backend_name() const {
  return Format("{} ({})", backend->name(), backend->variant());
}

DTypeProfile ProfileOf(const GenerateJob& job) {
  return job.dtype_profile == "hf" ? DTypeProfile::kHf : DTypeProfile::kMegatron;
}

int64_t StepTokens(const GenerateJob& job, int64_t max_sequences) {
  return std::max({kStepTokens, job.prefill_chunk, max_sequences});
}

Result<LoadedRank> LoadRank(const Session& session, Communicator& world,
                            const EngineOptions& options, const Console& console) {
  const GenerateJob& job = session.job;
  const auto start = std::chrono::steady_clock::now();
  LoadedRank rank;
  NEMO_ASSIGN_OR_RETURN(rank.backend, CreateBackend(job.backend, {session.threads, job.isa,
                                                                  session.device + world.rank()}));
  NEMO_ASSIGN_OR_RETURN(RankWeights weights,
                        LoadWeights(*session.checkpoint.source, session.checkpoint.config,
                                    session.layout, world.rank(), *rank.backend, session.threads,
                                    world.rank() == 0 ? console.progress() : NullProgress()));
  NEMO_RETURN_IF_ERROR(ProveWeights(session, world));
  NEMO_ASSIGN_OR_RETURN(rank.engine,
                        Engine::Create(session.checkpoint.config, session.layout, options,
                                       std::move(weights), *rank.backend, world));
  rank.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return rank;
}

}  // namespace nemo
