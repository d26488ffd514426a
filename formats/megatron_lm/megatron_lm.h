// The row of formats/registry.cc for checkpoints of Megatron-LM: docs/formats/megatron_lm.md.
#pragma once

#include <string>

#include "formats/format.h"
#include "libcore/base/status.h"

namespace nemo {

/// A directory with latest_checkpointed_iteration.txt, or one that it names (with files of ranks,
/// or a distributed checkpoint with its common.pt).
bool SniffMegatronLm(const std::string& path);

/// Opens the newest iteration, or the one given. The tokenizer is not part of such a checkpoint.
Result<Checkpoint> OpenMegatronLm(const std::string& path);

}  // namespace nemo
