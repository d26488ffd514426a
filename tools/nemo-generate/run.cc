#include "tools/nemo-generate/run.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"
#include "tools/nemo-generate/prompts.h"
#include "tools/nemo-generate/rank.h"

namespace nemo {
namespace {

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

Result<Answer> RunThreads(Session session, const Console& console) {
  const auto num_ranks = static_cast<int>(session.layout.world_size());
  session.threads = std::max(1, console.threads() / num_ranks);
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> prompts, CollectPrompts(session.job));
  NEMO_ASSIGN_OR_RETURN(const std::vector<GenerateRequest> requests,
                        MakeRequests(session, prompts));
  Answer answer;
  const auto body = [&](Communicator& world) {
    return RunRank(session, requests, world, console, &answer);
  };
  if (num_ranks == 1) {
    // In this thread: one rank needs no number in its messages.
    NEMO_RETURN_IF_ERROR(body(*MakeSelf()));
  } else {
    NEMO_RETURN_IF_ERROR(RunRanks(num_ranks, body));
  }
  return answer;
}

Status CheckWorld(const Communicator& world, const GenerateJob& job) {
  NEMO_ASSIGN_OR_RETURN(const ParallelLayout layout, LayoutFromOptions(job.layout));
  if (world.size() == layout.world_size()) return OkStatus();
  return InvalidArgument(
      Format("{} processes were started, and --tp {} --pp {} has {} ranks; start as "
             "many processes as ranks",
             world.size(), layout.tp_size, layout.pp_size, layout.world_size()));
}

Result<Answer> RunProcess(const GenerateJob& job, Communicator& world, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(Session session, OpenSession(job));
  session.threads = console.threads();
  // A process has one device, whatever its rank in the world.
  session.device = LocalRank() - world.rank();
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> prompts, SharePrompts(job, world));
  NEMO_ASSIGN_OR_RETURN(const std::vector<GenerateRequest> requests,
                        MakeRequests(session, prompts));
  Answer answer;
  NEMO_RETURN_IF_ERROR(RunRank(session, requests, world, console, &answer));
  return answer;
}

}  // namespace

Result<Answer> RunJob(const GenerateJob& job, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckJob(job, console.json()));
  if (!LaunchedByMpi()) {
    NEMO_ASSIGN_OR_RETURN(Session session, OpenSession(job));
    return RunThreads(std::move(session), console);
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> world, MakeMpiWorld());
  Status status = CheckWorld(*world, job);
  if (status.ok()) {
    auto answer = RunProcess(job, *world, console);
    if (answer) return answer;
    status = answer.error();
    // The others may be in the middle of a conversation; the world's size was wrong for all alike.
    world->Abort(Format("rank {}: {}", world->rank(), status.message()));
  }
  return world->rank() == 0 ? status : Status(status.code(), "");
}

}  // namespace nemo
