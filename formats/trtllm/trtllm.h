// TensorRT-LLM checkpoints of the GPT class: config.json beside one safetensors file per rank.
// A target only. Facts: NVIDIA/TensorRT-LLM: docs/source/architecture/checkpoint.md,
// tensorrt_llm/models/gpt/{config,convert}.py. docs/formats/trtllm.md.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/format.h"

namespace nemo {

/// A directory with config.json and rank0.safetensors.
bool SniffTrtLlm(const std::string& path);

/// kUnsupported: such a checkpoint is written and not read.
Result<Checkpoint> OpenTrtLlm(const std::string& path);

/// Plans one file per rank. Beyond the query groups, and only there, K and V heads are duplicated,
/// whatever options.layout says. The vocabulary
/// is padded to a multiple of TP unless options.vocab says otherwise. kInvalidArgument: a layout
/// with virtual or uneven stages, or one that does not fit the model. Else as PlanShards.
Result<Plan> PlanTrtLlm(const ModelConfig& config, std::span<const TensorSpec> source,
                        const PlanOptions& options);

/// A directory that trtllm-build takes, which appears at `path` when it is finished
/// (OutputDirectory says what may stand there).
Result<std::unique_ptr<Target>> CreateTrtLlmTarget(const std::string& path,
                                                   const TargetOptions& options);

}  // namespace nemo
