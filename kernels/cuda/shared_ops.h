// Operations without sums, or whose sums are short: one kernel has the contract's bits and the
// speed.
#pragma once

#include "libcore/runtime/backend.h"

namespace nemo::cuda {

Status Embed(Backend& backend, const EmbedArgs& args);
Status RopeAppend(Backend& backend, const RopeAppendArgs& args);
Status ShardDraw(Backend& backend, const ShardDrawArgs& args);
Status PickLogits(Backend& backend, const PickLogitsArgs& args);

}  // namespace nemo::cuda
