// How a tool ends on ranks that are processes: every rank fails, one of them says why.
#pragma once

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"

namespace nemo {

/// What this rank returns of a `status` that all ranks have alike: the message is rank 0's alone.
Status OneVoice(const Communicator& world, const Status& status);

/// The same for a failure of this rank, of which the others, who may be in the middle of a
/// conversation, hear through Communicator::Abort. OK stays OK. Where rank 0 does not hear, this
/// rank tells, too.
Status EndWorld(Communicator& world, const Status& status);

}  // namespace nemo
