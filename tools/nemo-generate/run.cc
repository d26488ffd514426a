#include "tools/nemo-generate/run.h"

#include <memory>

#include "libcore/base/progress.h"
#include "tools/common/model_world.h"
#include "tools/nemo-generate/answers.h"
#include "tools/nemo-generate/rank.h"
#include "tools/nemo-generate/serve.h"
#include "tools/nemo-generate/work.h"

namespace nemo {
namespace {

/// `run_ranks` runs RunRank on all ranks of this process, with the sink and the report of rank 0.
Status RunPrompts(const Session& session, Communicator& world, const Console& console,
                  const RunAllRanks& run_ranks) {
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

/// A server goes on after a signal until it has answered what it took.
MachineOptions MachineOf(const GenerateJob& job) {
  MachineOptions machine = job.machine;
  if (job.serve.on) machine.comm.stop_patience_ms += 1000 * job.serve.drain_timeout;
  return machine;
}

/// A server that was asked to stop and did so in good order: 130 or 143, and nothing to tell.
Status Stopped(const GenerateJob& job, Status status) {
  return status.ok() && job.serve.on && StopRequested() ? IoError("") : status;
}

}  // namespace

Status RunJob(const GenerateJob& job, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckJob(job, console.json()));
  const auto run = job.serve.on ? RunServer : RunPrompts;
  return Stopped(job, RunInWorld(job.source, MachineOf(job), console,
                                 [&](const ModelSession& model, Communicator& processes,
                                     const RunAllRanks& run_ranks) {
                                   return run({job, model}, processes, console, run_ranks);
                                 }));
}

}  // namespace nemo
