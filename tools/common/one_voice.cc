#include "tools/common/one_voice.h"

#include "libcore/base/format.h"

namespace nemo {

Status OneVoice(const Communicator& world, const Status& status) {
  if (status.ok() || world.rank() == 0) return status;
  return Status(status.code(), "");
}

Status EndWorld(Communicator& world, const Status& status) {
  if (!status.ok()) world.Abort(Format("rank {}: {}", world.rank(), status.message()));
  return OneVoice(world, status);
}

}  // namespace nemo
