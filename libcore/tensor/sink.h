// TensorSink: the one way in which the house writes tensors into one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

/// How the bytes of a compressed tensor are cut: chunks of whole rows, one behind the other. The
/// last one is filled up with zero rows before it is compressed.
struct PlaceChunks {
  int64_t rows = 0;            ///< of each chunk
  std::vector<int64_t> bytes;  ///< stored bytes of each chunk
  std::string xxh3;            ///< XXH3-128 of all stored bytes; empty where nobody knows it

  bool empty() const { return bytes.empty(); }
};

/// Where a tensor's bytes lie in the finished file: row-major, little-endian; dense unless there
/// are chunks.
struct TensorPlace {
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;  ///< as stored
  PlaceChunks chunks;
};

/// A block of a tensor as the file holds it.
struct EncodedBlock {
  std::span<const std::byte> bytes;  ///< what to write: the caller's own bytes, or `storage`
  std::vector<int64_t> chunk_bytes;  ///< sizes of the chunks in `bytes`; empty: it is not chunked
  std::vector<std::byte> storage;
};

/// One output file being written under a temporary name.
/// Order of calls: Declare or Resume once; then Encode, Reserve and Write for each block; then
/// Finish once. Blocks may come in any order from any thread, unless in_order(). Destroyed before
/// Finish, it leaves the temporary file for the target to clear away or for a later Resume.
class TensorSink {
 public:
  virtual ~TensorSink() = default;

  /// Fixes every offset and reserves the disk space. Tensors appear in the file in the order given.
  /// kInvalidArgument: duplicate names or a dtype the container lacks. kIo: disk full.
  virtual Status Declare(std::vector<SinkTensor> tensors) = 0;
  /// Declare, but data that a stopped run of the same declaration wrote stay where they are, be its
  /// file temporary still or finished.
  virtual Status Resume(std::vector<SinkTensor> tensors) = 0;

  /// Where tensor `name` lies. Valid after Declare; in_order(): once all of it was reserved.
  virtual Result<TensorPlace> PlaceOf(std::string_view name) const = 0;

  /// True when places depend on what was written before: Reserve then has to be called block after
  /// block, tensor after tensor, in the order of the declaration.
  virtual bool in_order() const { return false; }
  /// Blocks of `name` begin at a multiple of this many rows.
  virtual int64_t RowsPerBlock(std::string_view) const { return 1; }

  /// What `in`, the dense row-major elements of `box`, become in the file. Any thread, any order.
  virtual Result<EncodedBlock> Encode(std::string_view name, const Box& box,
                                      std::span<const std::byte> in) const;
  /// Gives `block` its place.
  virtual Status Reserve(std::string_view name, const Box& box, const EncodedBlock& block);
  /// Writes encoded bytes to their place. Boxes must not overlap between threads.
  virtual Status Write(std::string_view name, const Box& box, std::span<const std::byte> bytes) = 0;

  /// What Restore needs to find tensor `name` again beside its declaration; mostly nothing.
  virtual std::string Note(std::string_view name) const;
  /// After Resume: an earlier run wrote all of `name` and kept this note. in_order(): in the order
  /// of the declaration. kCorruption: not a note of this tensor.
  virtual Status Restore(std::string_view name, std::string_view note);
  /// Reads `box` back, decoded, as it was written: to compare it with what it ought to be.
  virtual Status Recall(std::string_view name, const Box& box, std::span<std::byte> out) = 0;

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

/// Encode, Reserve and Write of one block.
Status WriteBlock(TensorSink& sink, std::string_view name, const Box& box,
                  std::span<const std::byte> in);

/// Calls visit(offset_bytes, bytes) for everything in `file` outside of `places`, in file order and
/// in pieces of at most 1 MiB. Places need not be sorted. kCorruption: a place ends past the file,
/// or two overlap.
Status ForEachOutside(const class RandomAccessFile& file, std::vector<TensorPlace> places,
                      const std::function<Status(int64_t, std::span<const std::byte>)>& visit);

/// XXH3-128 of the bytes of `file` outside of `places`, in file order. Errors of ForEachOutside.
Result<std::string> HashOutside(const class RandomAccessFile& file,
                                std::vector<TensorPlace> places);

}  // namespace nemo
