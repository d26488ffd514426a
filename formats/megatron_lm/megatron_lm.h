// The row of formats/registry.cc for checkpoints of Megatron-LM: docs/formats/megatron_lm.md.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/format.h"
#include "libcore/base/status.h"

namespace nemo {

/// A directory with latest_checkpointed_iteration.txt, or one that it names (with files of ranks,
/// or a distributed checkpoint with its common.pt).
bool SniffMegatronLm(const std::string& path);

/// Opens the newest iteration, or the one given. The tokenizer is not part of such a checkpoint;
/// one that lies beside it, as in those of CreateMegatronLmTarget, is taken.
Result<Checkpoint> OpenMegatronLm(const std::string& path);

/// Plans a distributed checkpoint: a file per rank with the rank's shards; what ranks hold in
/// common is in the first one's. kInvalidArgument: virtual or uneven stages or duplicated K and V
/// heads, which mean nothing to it. Else as PlanShards.
Result<Plan> PlanMegatronLm(const ModelConfig& config, std::span<const TensorSpec> source,
                            const PlanOptions& options);

/// A directory that Megatron-LM loads as a release, which appears at `path` when it is finished
/// (OutputDirectory says what may stand there).
Result<std::unique_ptr<Target>> CreateMegatronLmTarget(const std::string& path,
                                                       const TargetOptions& options);

}  // namespace nemo
