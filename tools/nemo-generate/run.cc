#include "tools/nemo-generate/run.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "tools/common/one_voice.h"
#include "tools/nemo-generate/answers.h"
#include "tools/nemo-generate/rank.h"
#include "tools/nemo-generate/serve.h"
#include "tools/nemo-generate/work.h"

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

/// `run_ranks` runs RunRank on all ranks of this process, with the sink and the report of rank 0.
Status RunPrompts(const Session& session, Communicator& world, const Console& console,
                  const RankRunner& run_ranks) {
  std::unique_ptr<AnswerFile> file;
  NEMO_ASSIGN_OR_RETURN(const Work work, PrepareWork(session, world, &file));
  const std::unique_ptr<AnswerSink> sink = MakeAnswerSink(session, work, file.get(), console);
  RunReport report;
  if (!work.pending.empty()) {
    NEMO_RETURN_IF_ERROR(run_ranks([&](Communicator& ranks) {
      return RunRank(session, work, ranks, console, *sink, &report);
    }));
    if (world.rank() == 0) console.Detail(Summary(report));
  }
  return world.rank() == 0 ? sink->Finish(report) : OkStatus();
}

Status RunWork(const Session& session, Communicator& world, const Console& console,
               const RankRunner& run_ranks) {
  const auto run = session.job.serve.on ? RunServer : RunPrompts;
  return run(session, world, console, run_ranks);
}

Status RunThreads(Session session, const Console& console) {
  const auto num_ranks = static_cast<int>(session.layout.world_size());
  session.threads = std::max(1, console.threads() / num_ranks);
  const std::unique_ptr<Communicator> self = MakeSelf();
  return RunWork(session, *self, console, [&](const RankBody& body) {
    // One rank runs in this thread, and needs no number in its messages.
    return num_ranks == 1 ? body(*self) : RunRanks(num_ranks, body, session.job.comm);
  });
}

Status CheckWorld(const Communicator& world, const GenerateJob& job) {
  NEMO_ASSIGN_OR_RETURN(const ParallelLayout layout, LayoutFromOptions(job.layout));
  if (world.size() == layout.world_size()) return OkStatus();
  return InvalidArgument(
      Format("{} processes were started, and --tp {} --pp {} has {} ranks; start as "
             "many processes as ranks",
             world.size(), layout.tp_size, layout.pp_size, layout.world_size()));
}

Status RunProcess(const GenerateJob& job, Communicator& world, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(Session session, OpenSession(job));
  session.threads = console.threads();
  session.ranks_are_threads = false;
  // A process has one device, whatever its rank in the world.
  session.device = LocalRank() - world.rank();
  return RunWork(session, world, console, [&](const RankBody& body) { return body(world); });
}

/// A server goes on after a signal until it has answered what it took.
CommOptions CommOptionsOf(const GenerateJob& job) {
  CommOptions options = job.comm;
  if (job.serve.on) options.stop_patience_ms += 1000 * job.serve.drain_timeout;
  return options;
}

/// A server that was asked to stop and did so in good order: 130 or 143, and nothing to tell.
Status Stopped(const GenerateJob& job, Status status) {
  return status.ok() && job.serve.on && StopRequested() ? IoError("") : status;
}

}  // namespace

Status RunJob(const GenerateJob& job, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckJob(job, console.json()));
  if (!LaunchedByMpi()) {
    NEMO_ASSIGN_OR_RETURN(Session session, OpenSession(job));
    return Stopped(job, RunThreads(std::move(session), console));
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> world,
                        MakeMpiWorld(CommOptionsOf(job)));
  // The world's size is wrong for all alike.
  if (const Status status = CheckWorld(*world, job); !status.ok()) return OneVoice(*world, status);
  return Stopped(job, EndWorld(*world, RunProcess(job, *world, console)));
}

}  // namespace nemo
