// The native shard set: a directory with one file of tensors per rank and a manifest that says
// where every byte lies and what its checksum is. Format: docs/formats/native.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/format.h"

namespace nemo {

/// A directory with manifest.json, or with rank files and no manifest (unfinished: OpenNative says
/// so).
bool SniffNative(const std::string& path);

/// Reads the manifest and compares file sizes; tensors are read at the manifest's offsets, past the
/// container's library. kNotFound: a file is absent. kCorruption: an unfinished set, a size that
/// disagrees, elements that no file holds. kUnsupported: a newer format.
Result<Checkpoint> OpenNative(const std::string& path);

/// PlanShards; the default vocabulary is Megatron's.
Result<Plan> PlanNative(const ModelConfig& config, std::span<const TensorSpec> source,
                        const PlanOptions& options);

/// A shard set that appears at `path` when it is finished; until then it grows in `path`.partial
/// (one that an earlier run left there is replaced). kInvalidArgument: something stands at `path`
/// and force is off, or it is neither empty nor a shard set, or the container is unknown.
Result<std::unique_ptr<Target>> CreateNativeTarget(const std::string& path,
                                                   const TargetOptions& options);

/// kIndex: every file's size, all bytes outside the tensors, the container's own index, and the
/// layout's shards against the manifest. kChecksums: every shard's bytes as well. Errors: the
/// manifest cannot be read.
Result<std::vector<Problem>> VerifyNative(const std::string& path, CheckLevel level, int jobs,
                                          Progress& progress);

}  // namespace nemo
