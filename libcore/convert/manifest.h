// Manifest: what a native shard set says of itself (manifest.json, written last).
// Format: docs/formats/native.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/convert/compression.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/model/shard_rule.h"
#include "libcore/tensor/sink.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// Where a checkpoint's bits first came from; resharding hands it on unchanged, so that A -> B -> A
/// gives the same manifest.
struct Provenance {
  std::string kind;       ///< "nemo", "native", ...
  std::string base_name;  ///< of the path, never the path
  int64_t size_bytes = 0;
  std::string index_xxh3;  ///< XXH3-128 of the index: names and sizes of the files
  bool operator==(const Provenance&) const = default;
};

/// One rank's part of one canonical tensor, as it lies in a file.
struct ManifestShard {
  std::string file;
  std::string
      stored_name;  ///< in the file; the canonical name except for a tied output layer's copy
  Shard shard;
  TensorPlace place;
  std::string xxh3;  ///< XXH3-128 of the elements: of the bytes at `place`, decompressed
};

struct ManifestTensor {
  TensorSpec spec;  ///< canonical name, global shape
  ShardRule rule = ShardRule::kReplicate;
  std::vector<ManifestShard> shards;  ///< by file order; replicas included
};

struct ManifestFile {
  std::string name;
  int64_t size_bytes = 0;
  std::string metadata_xxh3;  ///< of every byte that is not tensor data (TensorSink::FileSummary)
};

struct Manifest {
  /// The newest one. What is written has the oldest that tells it all: 1 without compression.
  static constexpr int64_t kFormatVersion = 2;
  Provenance source;
  std::string container;  ///< "hdf5" or "safetensors"
  Compression compression;
  ModelConfig config;  ///< vocab_size real, padded_vocab_size as stored
  ParallelLayout layout;
  std::vector<ManifestFile> files;
  std::vector<ManifestTensor> tensors;  ///< sorted by name
};

std::string ToJsonText(const Manifest& manifest);
/// kUnsupported: a newer format_version, in plain words. kCorruption: anything that does not hold
/// together (unknown files, shards that leave the tensor or the file, sizes that disagree).
Result<Manifest> ParseManifest(std::string_view json_text);

}  // namespace nemo
