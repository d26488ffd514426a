// The weights inside a .nemo: which of NeMo's forms they have, and their reader.
#pragma once

#include <memory>
#include <string>

#include "formats/nemo/config.h"
#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/canonical_source.h"
#include "libcore/model/config.h"

namespace nemo {

struct NemoWeights {
  std::string container;  ///< "zarr", "torch_dist", "torch"
  ModelConfig config;     ///< with padded_vocab_size, checked against the tensors
  ParallelLayout layout;  ///< of the run that saved; rank files show it better than the config
  std::shared_ptr<CanonicalSource> source;
};

/// Opens the weights in `tree` for the model that `config` describes (padded_vocab_size not set).
/// Of files per rank, the copies that several ranks hold of one tensor are read and compared.
/// kUnsupported names a form that this build does not read. kCorruption: no weights, an unfinished
/// save, or weights that contradict the config.
Result<NemoWeights> OpenNemoWeights(std::shared_ptr<FileTree> tree, const NemoConfig& config);

}  // namespace nemo
