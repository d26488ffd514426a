// What a .metadata says of the tensors. The inside of dcp.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/spec.h"

namespace nemo::dcp {

/// Part of a tensor and where its item lies: a torch file in a range of `file`.
struct Chunk {
  Box box;
  std::string file;  ///< a plain name beside .metadata
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
};

struct StoredTensor {
  TensorSpec spec;
  std::vector<Chunk> chunks;  ///< inside spec.shape, none of them empty; not proved to fill it
};

/// Parses the bytes of a .metadata: the tensors whose name `wanted` takes, sorted by name. Errors
/// as in OpenDcp, without the file's name. Cost is linear in the pickle, whatever is shared in it.
Result<std::vector<StoredTensor>> ParseMetadata(
    std::string bytes, const std::function<bool(std::string_view name)>& wanted);

}  // namespace nemo::dcp
