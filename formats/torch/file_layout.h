// A torch file laid out before its data are known: torch.save's zip form, whose storages can be
// written at their final place in any order while everything around them waits for their checksums.
// Facts: torch/serialization.py (_save), caffe2/serialize/inline_container.cc (alignment),
// third_party/miniz (which headers hold what). docs/formats/torch.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/torch/pickle_value.h"
#include "formats/torch/zip_directory.h"
#include "libcore/tensor/spec.h"

namespace nemo::torch {

/// Bytes at a place of a file.
struct Piece {
  int64_t offset_bytes = 0;
  std::string bytes;
};

/// What torch.save makes of a dense tensor that is all of storage number `storage`. The name does
/// not count.
PickleValue TensorValue(const TensorSpec& spec, int64_t storage);

/// A plain dict from the tensors' names to the tensors; storages are numbered in their order.
PickleValue StateDictValue(std::span<const TensorSpec> tensors);

/// Entries: ROOT/data.pkl, ROOT/byteorder, ROOT/data/0, ROOT/data/1 ..., ROOT/version. Stored,
/// every entry's data at a multiple of 64 bytes from the file's start. Nothing of the layout
/// depends on a tensor's bytes.
class FileLayout {
 public:
  /// `object` is what torch.load gives; it refers to storage k (the bytes of `tensors[k]`, dense,
  /// row-major, little-endian) by TensorValue(tensors[k], k). `root` is the folder of the entries:
  /// the file's stem, "archive" where there is none.
  FileLayout(const std::string& root, std::span<const TensorSpec> tensors,
             const PickleValue& object);

  /// Of the whole file.
  int64_t size_bytes() const { return size_bytes_; }
  /// Where each tensor's bytes begin, from the file's start. Parallel to the tensors.
  const std::vector<int64_t>& data_offsets() const { return data_offsets_; }

  /// Every byte that is no tensor data, in file order. `crc32`: of each tensor's bytes, parallel to
  /// the tensors; with zeros in place of checksums the pieces have the same places and lengths.
  std::vector<Piece> Pieces(std::span<const uint32_t> crc32) const;

 private:
  /// Appends an entry with `bytes`, or with room for a tensor of `size_bytes`.
  void Add(std::string name, std::string bytes);
  void AddTensor(std::string name, int64_t size_bytes);
  void Place(ZipEntry entry, std::string bytes);

  std::vector<ZipEntry> entries_;   ///< in file order; tensors without checksums
  std::vector<std::string> bytes_;  ///< parallel to entries_; empty for tensors
  std::vector<int64_t> data_offsets_;
  int64_t directory_offset_ = 0;
  int64_t size_bytes_ = 0;
};

/// A torch file without tensors, whole: common.pt and its like.
std::string TorchFileOf(const std::string& root, const PickleValue& object);

}  // namespace nemo::torch
