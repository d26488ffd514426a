// Hugging Face directories of NemotronForCausalLM: config.json beside model.safetensors or a
// sharded set of such files. Facts: huggingface/transformers:
// models/nemotron/{configuration,modeling}_nemotron.py; huggingface/huggingface_hub: serialization
// (shards and their index). docs/formats/hf.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/format.h"

namespace nemo {

/// A directory with weights under one of the names that transformers gives them.
bool SniffHf(const std::string& path);

/// Reads config.json, the index and the header of every shard; tokenizer.model when it is there.
/// kUnsupported: another architecture (named), a feature that changes what the model computes, or
/// weights that are no safetensors. kCorruption, kNotFound: files or tensors that are missing,
/// strange, or at odds with config.json.
Result<Checkpoint> OpenHf(const std::string& path);

/// Plans the files in the order of transformers' own state dict, a new file whenever the next
/// tensor would make it larger than options.max_shard_bytes. Vocabulary tensors are pruned to the
/// tokenizer unless options.vocab says otherwise (kept when there is no tokenizer).
/// kInvalidArgument: a layout of more than one rank. kUnsupported: a model that
/// NemotronForCausalLM cannot express. Else as PlanShards.
Result<Plan> PlanHf(const ModelConfig& config, std::span<const TensorSpec> source,
                    const PlanOptions& options);

/// A directory that transformers loads, which appears at `path` when it is finished
/// (OutputDirectory says what may stand there).
Result<std::unique_ptr<Target>> CreateHfTarget(const std::string& path,
                                               const TargetOptions& options);

/// What OpenHf forgives: totals of the index that are not those of the files, a header without the
/// format that transformers asks for. The format has no checksums.
Result<std::vector<Problem>> VerifyHf(const std::string& path, CheckLevel level, int jobs,
                                      Progress& progress);

}  // namespace nemo
