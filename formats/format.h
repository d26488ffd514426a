// Format: a product's checkpoints as a row of functions. registry.cc lists the rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/convert/check.h"
#include "libcore/convert/compression.h"
#include "libcore/convert/manifest.h"
#include "libcore/convert/target.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/layout/planner.h"
#include "libcore/model/canonical_source.h"
#include "libcore/model/config.h"

namespace nemo {

/// What is larger is no tokenizer (the 340B's has 4.5 MB).
inline constexpr int64_t kMaxTokenizerBytes = int64_t{256} << 20;

/// A checkpoint opened for reading: everything that conversion, checking and running need.
struct Checkpoint {
  std::string format;     ///< the row's name: "nemo", "native", "hf"
  std::string container;  ///< "zarr", "hdf5", "safetensors"
  Compression compression;
  ParallelLayout layout;  ///< as the writer had it
  ModelConfig config;     ///< vocab_size may be 0: the tokenizer knows it
  std::shared_ptr<CanonicalSource> source;
  std::string model_config_yaml;  ///< byte-exact; empty when there is none
  std::string tokenizer_model;    ///< SentencePiece bytes; empty when there is none
  std::string tokenizer_name;     ///< where they were found
  Provenance provenance;
};

/// What a plan is made for. Formats without ranks take the layout of one rank only.
struct PlanOptions {
  ParallelLayout layout;
  std::optional<VocabRule> vocab;           ///< nullopt: what suits the format
  int64_t max_shard_bytes = 5'000'000'000;  ///< tensors of one file, where ranks do not decide
  std::string container;                    ///< of the files, where there is a choice
  bool archive = false;                     ///< one archive instead of a directory
};

/// What a target leaves to choose. Tools refuse the flags that mean nothing to it.
struct TargetTraits {
  std::vector<std::string_view> containers = {};  ///< of the files; the default first
  bool has_layout = false;
  bool has_shard_size = false;
  bool is_read = true;                      ///< what was written can be opened
  std::string_view archive_extension = {};  ///< of a DST that is one archive; empty: there is none
  bool has_compression = false;
};

struct TargetOptions {
  std::string container = "hdf5";
  bool force = false;    ///< replace what stands at the destination
  bool resume = false;   ///< go on in what a stopped run left there
  bool archive = false;  ///< one archive instead of a directory
  Compression compression;
  Attachments attachments;
  ModelConfig config;     ///< Plan::config
  ParallelLayout layout;  ///< Plan::layout
};

struct Format {
  std::string_view name;
  std::string_view description;
  /// True when `path` looks like one; cheap. Only then are errors of `open` final.
  bool (*sniff)(const std::string& path);
  Result<Checkpoint> (*open)(const std::string& path);
  TargetTraits target;
  /// The files to write and where each byte of them comes from. `source` are canonical specs as
  /// `config` describes them. kInvalidArgument, kUnsupported, kCorruption, kNotFound with what
  /// would mend it. nullptr together with `create`.
  Result<Plan> (*plan)(const ModelConfig& config, std::span<const TensorSpec> source,
                       const PlanOptions& options);
  /// nullptr: this build reads the format and does not write it.
  Result<std::unique_ptr<Target>> (*create)(const std::string& path, const TargetOptions& options);
  /// Degrees kIndex and kChecksums as far as the format has checksums of its own; nullptr: opening
  /// is all.
  Result<std::vector<Problem>> (*verify)(const std::string& path, CheckLevel level, int jobs,
                                         Progress& progress);
  bool has_checksums = false;  ///< that `verify` compares
};

// `struct`, because nemo::Format is also the function that makes text (libcore/base/format.h).
std::span<const struct Format> Formats();
/// The format of what lies at `path`. kNotFound: nothing there. kCorruption: no format recognises
/// it (says what was looked for).
Result<const struct Format*> DetectFormat(const std::string& path);
/// Detects and opens.
Result<Checkpoint> OpenCheckpoint(const std::string& path);

}  // namespace nemo
