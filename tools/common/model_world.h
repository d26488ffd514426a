// A model on all ranks of its layout, once or in several replicas: threads of this process, or the
// processes of mpirun or srun.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/engine.h"
#include "libcore/text/tokenizer.h"
#include "tools/common/machine_flags.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"

namespace nemo {

/// What the ranks of a process share; read-only while they run.
struct ModelSession {
  MachineOptions machine;
  Checkpoint checkpoint;
  std::unique_ptr<Tokenizer> tokenizer;  ///< null only where it is optional (RunInWorld)
  ParallelLayout layout;
  int64_t num_replicas = 1;
  bool ranks_are_threads = true;
  int threads = 1;  ///< of each rank
  int device = 0;   ///< of the first rank of this process
};

/// Backend, weights and engine of one rank; the engine refers to the backend and the world.
struct LoadedModel {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Engine> engine;
  double load_seconds = 0;
  std::string BackendName() const;  ///< "cpu (avx512)"
};

/// What a rank does; with the communicator of all ranks, those of all replicas.
using RankBody = std::function<Status(Communicator& world)>;
/// Runs a body on all ranks of this process, and waits for them.
using RunAllRanks = std::function<Status(const RankBody& body)>;
/// What a process does, before and after its ranks: `processes` has one rank a process, and where
/// there are replicas waits for the slowest as long as it takes.
using ProcessBody = std::function<Status(ModelSession& session, Communicator& processes,
                                         const RunAllRanks& run_ranks)>;

/// Opens the checkpoint at `source` and runs `body` in this process. In processes other than the
/// first an error has an empty message, because the first tells it. kUnsupported: the checkpoint
/// has no tokenizer, and `needs_tokenizer`; kInvalidArgument: the layout does not fit the model, or
/// its replicas have not as many ranks as there are processes; else what `body` returns.
Status RunInWorld(const std::string& source, const MachineOptions& machine, const Console& console,
                  const ProcessBody& body, bool needs_tokenizer = true);

/// A rank's replica: its number, and its ranks. Ranks of one replica stand next to one another.
struct Replica {
  int index = 0;
  Communicator* world = nullptr;
  std::unique_ptr<Communicator> part;  ///< of the world of all; null where there is one replica
};

/// Collective over `ranks`, those of all replicas.
Result<Replica> JoinReplica(const ModelSession& session, Communicator& ranks);

/// Loads this rank's part. Collective over `world`, the ranks of a replica; rank 0 of the first
/// reports progress. `options`: profile and step size are filled in from the flags. kIo: the
/// machine has no memory for it (memory_check.h), told before weights are read.
Result<LoadedModel> LoadModel(const ModelSession& session, Communicator& world,
                              EngineOptions options, const Console& console, int replica = 0);

/// Runs that agree in this give the same bits: the rounding profile, and what gives up the promise
/// that backends and layouts agree.
Result<std::string> ArithmeticOf(const ModelSession& session);

}  // namespace nemo
