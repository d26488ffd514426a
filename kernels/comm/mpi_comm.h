// Ranks that are processes started by mpirun or srun. The door of MPI.
#pragma once

#include <memory>

#include "kernels/comm/comm_options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

/// True when a launcher started this process as one of the ranks of an MPI world.
bool LaunchedByMpi();

/// This process's rank in that world as its environment says, before MPI runs; 0 without a
/// launcher.
int LaunchRank();

/// The world of all processes; starts MPI at the first call. Collective. Its communicators are
/// used, and Abort is called, by one thread at a time. A rank that fails on its own calls Abort
/// before it leaves; else the others wait for their deadline. One whose process dies is found out
/// by the ranks of its machine as soon as one of them waits, or calls anything of a group in which
/// it is alone; that aborts the world. MPI ends with the process: see FinalizeMpi. kUnsupported:
/// built without MPI. kUnavailable: MPI does not start.
Result<std::unique_ptr<Communicator>> MakeMpiWorld(const CommOptions& options = {});

/// False: this rank aborted the world, and the first one has not taken the reason within half a
/// second: it computes, reads or hangs, and cannot be the one who tells it.
bool FirstRankKnows();

/// Ends MPI; does nothing where it was not started. A world that was aborted cannot be taken down
/// in good order: then the launcher is told to end all ranks with `exit_code`, half a second later,
/// so that the others can still print their errors. Runs at exit (with code 4) when nobody called
/// it; no communicator is used after.
void FinalizeMpi(int exit_code);

}  // namespace nemo
