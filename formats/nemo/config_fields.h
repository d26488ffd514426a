// The fields of a model's config that NeMo 1 and NeMo 2 spell alike.
#pragma once

#include <string_view>

#include "formats/nemo/omegaconf.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

/// Sizes of layers, heads and the vocabulary's padding; null fields follow from the others.
/// max_position_embeddings falls back to `sequence_key`. kCorruption names the field: missing, of
/// another type, impossible.
Status ReadSizes(const Config& config, std::string_view sequence_key, ModelConfig& model);

/// Tensor, pipeline and virtual pipeline sizes of the run that saved; 1 where they are not said.
Result<ParallelLayout> ReadLayout(const Config& config);

}  // namespace nemo
