// TensorSink: the one way in which the house writes tensors into one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// What a sink notes beside a tensor, where its container has a place for it (HDF5 attributes,
/// safetensors __metadata__). Known before the first byte is written.
struct TensorNote {
  Shape global_shape;           ///< of the canonical tensor
  std::vector<int64_t> offset;  ///< of the shard's first part in it
  std::string shard_rule;       ///< ShardRuleName
};

/// A tensor promised to a sink.
struct SinkTensor {
  TensorSpec spec;
  TensorNote note;
};

/// Where a tensor's bytes lie in the finished file: dense, row-major, little-endian.
struct TensorPlace {
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
};

/// One output file being written under a temporary name.
/// Order of calls: Declare once, then Write in any order from any thread, then Finish once.
/// Destroyed before Finish, it leaves the temporary file for the target to clear away.
class TensorSink {
 public:
  virtual ~TensorSink() = default;

  /// Fixes every offset and reserves the disk space. Tensors appear in the file in the order given.
  /// kInvalidArgument: duplicate names or a dtype the container lacks. kIo: disk full.
  virtual Status Declare(std::vector<SinkTensor> tensors) = 0;

  /// Where tensor `name` lies. Valid after Declare.
  virtual Result<TensorPlace> PlaceOf(std::string_view name) const = 0;

  /// Writes `box` of tensor `name` from dense row-major `in`. Boxes must not overlap between
  /// threads.
  virtual Status Write(std::string_view name, const Box& box, std::span<const std::byte> in) = 0;

  /// All data is written: records the XXH3-128 of each tensor (by name, hexadecimal) where the
  /// container has a place for it, syncs, and gives the file its final name. Returns the bytes of
  /// the file and the XXH3-128 of everything in it that is not tensor data (headers and gaps in
  /// file order), so that a validator can account for every byte.
  struct FileSummary {
    int64_t size_bytes = 0;
    std::string metadata_xxh3;
  };
  virtual Result<FileSummary> Finish(const std::map<std::string, std::string>& checksums) = 0;
};

/// XXH3-128 of the bytes of `file` outside of `places`, in file order. Places need not be sorted.
/// kCorruption: a place ends past the file, or two overlap.
Result<std::string> HashOutside(const class RandomAccessFile& file,
                                std::vector<TensorPlace> places);

}  // namespace nemo
