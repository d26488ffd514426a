// The row of formats/registry.cc for NeMo 1.x checkpoints: .nemo archives and their unpacked form.
// docs/formats/nemo.md.
#pragma once

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

}  // namespace nemo
