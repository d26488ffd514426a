// The row of formats/registry.cc for NeMo 1.x checkpoints: .nemo archives and their unpacked form.
// docs/formats/nemo.md.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/format.h"
#include "libcore/base/status.h"

namespace nemo {

/// A file called *.nemo or one that begins like a tar or gzip file; a directory with the weights of
/// one, which a native shard set (manifest.json) is not.
bool SniffNemo(const std::string& path);

/// Opens the checkpoint in place. The index of the archive, the config, the tokenizer and the list
/// of tensors are read; no weights are (a gzipped archive is decompressed once to build its index).
Result<Checkpoint> OpenNemo(const std::string& path);

/// Plans the weights as options.container says: zarr, a file per parameter with a chunk per layer
/// and tensor-parallel rank; torch, a file per rank. With options.archive all of it is one file.
/// kInvalidArgument: a layout that NeMo's configuration has no words for (uneven stages; virtual
/// stages of rank files), an unknown container. Else as PlanShards.
Result<Plan> PlanNemo(const ModelConfig& config, std::span<const TensorSpec> source,
                      const PlanOptions& options);

/// An archive that appears at `path` when it is finished (options.archive), or the directory that
/// it would be unpacked to (OutputDirectory says what may stand there). options.config and
/// options.layout are the plan's.
Result<std::unique_ptr<Target>> CreateNemoTarget(const std::string& path,
                                                 const TargetOptions& options);

}  // namespace nemo
