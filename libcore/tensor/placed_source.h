// PlacedSource: tensors that lie at known places of one file, dense or in coded chunks. What
// reading safetensors, HDF5 and the native shard set have in common once their index is known.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/chunks.h"
#include "libcore/tensor/sink.h"
#include "libcore/tensor/source.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// A tensor and where it lies in the file.
struct PlacedTensor {
  TensorSpec spec;
  int64_t offset_bytes = 0;  ///< of its first element, when it is dense
  Chunks chunks;             ///< where it is not
};

class PlacedSource : public TensorSource {
 public:
  /// Takes tensors in any order. kCorruption: an unsound shape, a name twice, bytes past the file's
  /// end, two tensors or chunks that share bytes. Errors of CheckChunks.
  static Result<std::shared_ptr<PlacedSource>> Create(std::shared_ptr<RandomAccessFile> file,
                                                      std::vector<PlacedTensor> tensors);

  std::span<const TensorSpec> specs() const override { return specs_; }
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override;
  int64_t PhaseOf(std::string_view name, const Box& box) const override;
  std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override;

  /// kNotFound: no such tensor. kUnsupported: it is scattered over the file.
  Result<TensorPlace> PlaceOf(std::string_view name) const;
  const RandomAccessFile& file() const { return *file_; }

 private:
  std::shared_ptr<RandomAccessFile> file_;
  std::vector<TensorSpec> specs_;
  std::vector<int64_t> offsets_;  ///< parallel to specs_
  std::vector<Chunks> chunks_;    ///< parallel to specs_
};

}  // namespace nemo
