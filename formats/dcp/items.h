// What a .distcp file of a distributed checkpoint holds: items, back to back. Chunks of tensors
// first, each a torch file of its own, then items that are bytes already.
// Facts: torch/distributed/checkpoint/filesystem.py; docs/formats/dcp.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/torch/file_layout.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/dtype.h"
#include "libcore/tensor/sink.h"

namespace nemo::dcp {

/// A chunk of a tensor.
struct TensorItem {
  std::string key;  ///< the tensor's name in the checkpoint
  DType dtype = DType::kBF16;
  Shape shape;  ///< of the whole tensor
  Box chunk;    ///< in it
};

/// Something that is no tensor, already as the reader is to get it.
struct BytesItem {
  std::string key;
  std::string bytes;
};

struct FileItems {
  std::vector<TensorItem> tensors;
  std::vector<BytesItem> bytes;
};

/// Where the items lie in their file: `tensors`, then `bytes`, in their order.
std::vector<TensorPlace> PlacesOf(const FileItems& items);

/// An item as a torch file: one bare tensor of the chunk's extents.
torch::FileLayout LayoutOf(const TensorItem& item);

}  // namespace nemo::dcp
