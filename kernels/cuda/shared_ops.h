// Operations without sums: one kernel has the contract's bits and the speed.
#pragma once

#include "libcore/runtime/backend.h"

namespace nemo::cuda {

Status Embed(Backend& backend, const EmbedArgs& args);
Status RopeAppend(Backend& backend, const RopeAppendArgs& args);

}  // namespace nemo::cuda
