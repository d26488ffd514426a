// The fields of a model's config that NeMo 1 and NeMo 2 spell alike.
#pragma once

#include <string_view>

#include "formats/nemo/omegaconf.h"
#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

// Keys that say how the weights are laid out.
inline constexpr std::string_view kTensorParallelKey = "tensor_model_parallel_size";
inline constexpr std::string_view kPipelineParallelKey = "pipeline_model_parallel_size";
inline constexpr std::string_view kVirtualPipelineKey = "virtual_pipeline_model_parallel_size";
inline constexpr std::string_view kVocabMultipleKey = "make_vocab_size_divisible_by";

/// Sizes of layers, heads and the vocabulary's padding; null fields follow from the others.
/// max_position_embeddings falls back to `sequence_key`. kCorruption names the field: missing, of
/// another type, impossible.
Status ReadSizes(const Config& config, std::string_view sequence_key, ModelConfig& model);

/// Tensor, pipeline and virtual pipeline sizes of the run that saved; 1 where they are not said.
Result<ParallelLayout> ReadLayout(const Config& config);

}  // namespace nemo
