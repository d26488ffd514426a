#include "tools/common/one_voice.h"

#include "kernels/comm/mpi_comm.h"
#include "libcore/base/format.h"

namespace nemo {

Status OneVoice(const Communicator& world, const Status& status) {
  if (status.ok() || world.rank() == 0) return status;
  return Status(status.code(), "");
}

Status EndWorld(Communicator& world, const Status& status) {
  if (status.ok()) return status;
  world.Abort(Format("rank {}: {}", world.rank(), status.message()));
  return FirstRankKnows() ? OneVoice(world, status) : status;
}

}  // namespace nemo
