// The command line of a Megatron-LM run, which its checkpoints keep <-> ModelConfig.
// Facts: megatron/training/arguments.py (names, defaults); docs/formats/megatron_lm.md has the
// table.
#pragma once

#include "formats/torch/pickle.h"
#include "formats/torch/pickle_value.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo::megatron_lm {

struct SavedRun {
  ModelConfig model;  ///< padded_vocab_size 0: the weights show it. Not checked by CheckConfig yet
  ParallelLayout layout;
};

/// From the pickled argparse.Namespace. kCorruption names the argument: absent, of another kind.
/// kUnsupported names the feature of the model that this build does not compute.
Result<SavedRun> ParseArgs(const torch::PickleNode& args);

/// The argparse.Namespace of a run that would have saved such a model: what Megatron-LM compares
/// with its own command line when it loads, and what --use-checkpoint-args takes from it.
torch::PickleValue ArgsValue(const SavedRun& run);

}  // namespace nemo::megatron_lm
