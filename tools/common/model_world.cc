#include "tools/common/model_world.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "kernels/comm/comm_options.h"
#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "kernels/registry.h"
#include "libcore/base/format.h"
#include "libcore/runtime/rank_memory.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/weights.h"
#include "tools/common/memory_check.h"
#include "tools/common/one_voice.h"

namespace nemo {
namespace {

/// Tokens of one step on a host processor; runtime.md calls it the budget.
constexpr int64_t kStepTokens = 256;

/// This process's place among those of its machine, from the launcher; 0 when it does not tell.
int LocalRank() {
  for (const char* name : {"SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"}) {
    if (const char* text = std::getenv(name)) {
      const auto value = ParseInt(text, 0, 4096);
      if (value) return static_cast<int>(*value);
    }
  }
  return 0;
}

Result<ModelSession> OpenSession(const std::string& source, const MachineOptions& machine,
                                 bool needs_tokenizer) {
  ModelSession session;
  session.machine = machine;
  NEMO_ASSIGN_OR_RETURN(session.layout, LayoutFromOptions(machine.layout));
  NEMO_ASSIGN_OR_RETURN(session.checkpoint, OpenSource(source, &session.tokenizer));
  if (needs_tokenizer && session.tokenizer == nullptr) {
    return Unsupported(Format("{}: has no tokenizer, and without one text has no tokens", source));
  }
  NEMO_RETURN_IF_ERROR(CheckLayout(session.layout, session.checkpoint.config));
  return session;
}

Status RunThreads(ModelSession session, const Console& console, const ProcessBody& body) {
  session.num_replicas = std::max<int64_t>(1, session.machine.data_parallel_size);
  const auto num_ranks = static_cast<int>(session.num_replicas * session.layout.world_size());
  session.threads = std::max(1, console.threads() / num_ranks);
  const std::unique_ptr<Communicator> self = MakeSelf();
  const CommOptions comm = session.machine.comm;
  return body(session, *self, [&](const RankBody& rank) {
    // One rank runs in this thread, and needs no number in its messages.
    return num_ranks == 1 ? rank(*self) : RunRanks(num_ranks, rank, comm);
  });
}

/// What is wrong for all processes alike is found here.
Result<int64_t> CountReplicas(const Communicator& world, const MachineOptions& machine) {
  NEMO_RETURN_IF_ERROR(CheckMachine(machine));
  NEMO_ASSIGN_OR_RETURN(const ParallelLayout layout, LayoutFromOptions(machine.layout));
  const int64_t asked = machine.data_parallel_size, ranks = layout.world_size();
  const int64_t replicas = asked > 0 ? asked : std::max<int64_t>(1, world.size() / ranks);
  if (world.size() == replicas * ranks) return replicas;
  return InvalidArgument(Format(
      "{} processes were started, and {}--tp {} --pp {} has {} ranks; start as many "
      "processes as ranks{}",
      world.size(), asked > 1 ? Format("--dp {} ", asked) : "", layout.tp_size, layout.pp_size,
      ranks * std::max<int64_t>(1, asked), asked == 0 ? ", or twice, three times as many" : ""));
}

Status RunProcess(const std::string& source, const MachineOptions& machine, Communicator& world,
                  int64_t num_replicas, const Console& console, const ProcessBody& body,
                  bool needs_tokenizer) {
  NEMO_ASSIGN_OR_RETURN(ModelSession session, OpenSession(source, machine, needs_tokenizer));
  session.num_replicas = num_replicas;
  session.threads = console.threads();
  session.ranks_are_threads = false;
  // A process has one device, whatever its rank in the world.
  session.device = LocalRank() - world.rank();
  const RunAllRanks run_ranks = [&](const RankBody& rank) { return rank(world); };
  if (num_replicas == 1) return body(session, world, run_ranks);
  // That a replica has more to do than another is no failure.
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> patient, MakeMpiWorld(kPatient));
  return body(session, *patient, run_ranks);
}

/// Backends whose memory is the machine's.
bool RunsOnHost(const MachineOptions& machine) {
  return machine.backend == "cpu" || machine.backend == "reference";
}

/// A device says itself, before anything is read, that it has no room.
Status CheckRoom(const ModelSession& session, Communicator& world, const EngineOptions& options) {
  if (!RunsOnHost(session.machine)) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(
      const RankMemory memory,
      MemoryOfRank(session.checkpoint.config, session.layout, world.rank(), options));
  return CheckMemory(memory, world, session.ranks_are_threads ? session.num_replicas : 1);
}

/// Whole files that only together prove what was read of them. When all ranks have read theirs, one
/// of each process looks: threads share the source.
Status ProveWeights(const ModelSession& session, Communicator& world) {
  NEMO_RETURN_IF_ERROR(world.Barrier());
  if (session.ranks_are_threads && world.rank() != 0) return OkStatus();
  return session.checkpoint.source->ProveReads();
}

}  // namespace

std::string LoadedModel::BackendName() const {
  return Format("{} ({})", backend->name(), backend->variant());
}

Status RunInWorld(const std::string& source, const MachineOptions& machine, const Console& console,
                  const ProcessBody& body, bool needs_tokenizer) {
  if (!LaunchedByMpi()) {
    NEMO_RETURN_IF_ERROR(CheckMachine(machine));
    NEMO_ASSIGN_OR_RETURN(ModelSession session, OpenSession(source, machine, needs_tokenizer));
    return RunThreads(std::move(session), console, body);
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> world, MakeMpiWorld(machine.comm));
  const Result<int64_t> num_replicas = CountReplicas(*world, machine);
  if (!num_replicas) return OneVoice(*world, num_replicas.error());
  return EndWorld(
      *world, RunProcess(source, machine, *world, *num_replicas, console, body, needs_tokenizer));
}

Result<Replica> JoinReplica(const ModelSession& session, Communicator& ranks) {
  Replica replica{.world = &ranks};
  if (session.num_replicas == 1) return replica;
  replica.index = ranks.rank() / static_cast<int>(session.layout.world_size());
  NEMO_ASSIGN_OR_RETURN(replica.part, ranks.Split(replica.index, ranks.rank()));
  replica.world = replica.part.get();
  return replica;
}

Result<LoadedModel> LoadModel(const ModelSession& session, Communicator& world,
                              EngineOptions options, const Console& console, int replica) {
  const MachineOptions& machine = session.machine;
  const auto start = std::chrono::steady_clock::now();
  options.profile = machine.profile();
  options.max_step_tokens = std::max({kStepTokens, machine.prefill_chunk, options.max_sequences});
  NEMO_RETURN_IF_ERROR(CheckRoom(session, world, options));
  LoadedModel model;
  const int rank = replica * static_cast<int>(session.layout.world_size()) + world.rank();
  NEMO_ASSIGN_OR_RETURN(
      model.backend,
      CreateBackend(machine.backend, {.num_threads = session.threads,
                                      .isa = machine.isa,
                                      .device = session.device + rank,
                                      .deterministic = machine.deterministic,
                                      .peer_deadline_ms = machine.comm.deadline_ms}));
  NEMO_ASSIGN_OR_RETURN(RankWeights weights,
                        LoadWeights(*session.checkpoint.source, session.checkpoint.config,
                                    session.layout, world.rank(), *model.backend, session.threads,
                                    rank == 0 ? console.progress() : NullProgress()));
  NEMO_RETURN_IF_ERROR(ProveWeights(session, world));
  NEMO_ASSIGN_OR_RETURN(model.engine,
                        Engine::Create(session.checkpoint.config, session.layout, options,
                                       std::move(weights), *model.backend, world));
  model.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return model;
}

Result<std::string> ArithmeticOf(const ModelSession& session) {
  const MachineOptions& machine = session.machine;
  NEMO_ASSIGN_OR_RETURN(const RankShape shape,
                        ShapeOfRank(session.checkpoint.config, session.layout, 0));
  std::string text = machine.dtype_profile;
  // Others than these two promise equal bits for an equal layout only, and "auto" never means one
  // of them.
  const bool on_host = RunsOnHost(machine);
  if (!on_host) text += " " + machine.backend + (machine.deterministic ? " deterministic" : "");
  if (machine.isa == "amx") text += " amx";
  if (!shape.invariant || !(on_host || machine.deterministic))
    text += " " + ToString(session.layout);
  return text;
}

}  // namespace nemo
