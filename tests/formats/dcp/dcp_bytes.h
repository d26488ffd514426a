// Small distributed checkpoints in memory, written by hand.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/tensor/box.h"
#include "libcore/tensor/spec.h"
#include "tests/testing.h"

namespace nemo::testing {

/// A file of torch.save: one bare tensor, row-major, with the bytes `data`.
std::string TensorItem(std::string_view storage_class, const Shape& shape, std::string_view data);

/// One chunk of one tensor as .metadata tells it; tests change what they want to see refused.
struct MetadataChunk {
  Box box;
  std::string relative_path;
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
  std::string transform;    ///< empty: none
  bool has_storage = true;  ///< an entry in storage_data
};

struct MetadataTensor {
  std::string name;
  std::string dtype = "bfloat16";  ///< torch's name
  Shape shape;
  std::vector<MetadataChunk> chunks;
};

/// The bytes of a .metadata. Besides the tensors it has a bytes entry "model.x._extra_state/shard".
std::string MetadataBytes(const std::vector<MetadataTensor>& tensors);

/// Collects chunks of tensors, each cut out of `source`, and makes the files of a checkpoint.
class DcpFiles {
 public:
  explicit DcpFiles(const MemorySource& source) : source_(source) {}
  /// Appends the item of `box` of tensor `name` to `file`.
  void Add(std::string_view name, const Box& box, const std::string& file);
  /// What Add has told; to be changed at will.
  std::vector<MetadataTensor>& tensors() { return tensors_; }
  std::map<std::string, std::string>& data_files() { return files_; }
  /// With .metadata.
  std::map<std::string, std::string> Files() const;

 private:
  const MemorySource& source_;
  std::vector<MetadataTensor> tensors_;
  std::map<std::string, std::string> files_;
};

}  // namespace nemo::testing
