// Distributed checkpoints of Megatron Core: model_weights/ of a .nemo, weights/ of NeMo 2.
// Facts: megatron/core/dist_checkpointing (core.py, serialization.py); docs/formats/nemo.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/model/canonical_source.h"
#include "libcore/model/config.h"

namespace nemo {

struct DistCheckpoint {
  std::string backend;  ///< "zarr", "torch_dist"
  ModelConfig config;   ///< with padded_vocab_size, checked against the tensors
  std::shared_ptr<CanonicalSource> source;
};

/// Opens the checkpoint in `folder` of `tree` (with its '/', or empty) for the model that `config`
/// describes (padded_vocab_size not set); messages call the file it came from `config_name`.
/// kUnsupported names a backend that this build does not read. kCorruption: an unfinished save,
/// damaged files, or weights that contradict the config.
Result<DistCheckpoint> OpenDistCheckpoint(const std::shared_ptr<FileTree>& tree,
                                          const std::string& folder, ModelConfig config,
                                          std::string_view config_name);

}  // namespace nemo
