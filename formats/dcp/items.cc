#include "formats/dcp/items.h"

namespace nemo::dcp {

torch::FileLayout LayoutOf(const TensorItem& item) {
  // What torch calls the folder of a file that has no name.
  const TensorSpec spec = {item.key, item.dtype, item.chunk.extent};
  return torch::FileLayout("archive", std::span(&spec, 1), torch::TensorValue(spec, 0));
}

std::vector<TensorPlace> PlacesOf(const FileItems& items) {
  std::vector<TensorPlace> places;
  int64_t at = 0;
  const auto add = [&](int64_t size_bytes) {
    places.push_back({at, size_bytes});
    at += size_bytes;
  };
  for (const TensorItem& item : items.tensors) add(LayoutOf(item).size_bytes());
  for (const BytesItem& item : items.bytes) add(std::ssize(item.bytes));
  return places;
}

}  // namespace nemo::dcp
