#include "formats/dcp/metadata_writer.h"

#include <utility>
#include <vector>

#include "formats/torch/pickle_value.h"
#include "formats/torch/storage_id.h"
#include "libcore/base/check.h"

namespace nemo::dcp {
namespace {

using torch::PickleValue;

constexpr int kProtocol = 4;  // it has text of any length and names of classes as values
constexpr std::string_view kModule = "torch.distributed.checkpoint.metadata";

PickleValue Class(std::string_view name) { return PickleValue::Global(kModule, name); }

PickleValue Size(const std::vector<int64_t>& extents) {
  return PickleValue::Call(PickleValue::Global("torch", "Size"), {PickleValue::TupleOf(extents)});
}

/// dtype, layout, requires_grad, memory format (0: contiguous), pin_memory.
PickleValue Properties(DType dtype) {
  const PickleValue strided = PickleValue::Call(
      PickleValue::Global("torch.serialization", "_get_layout"), {"torch.strided"});
  const PickleValue contiguous = PickleValue::Call(Class("_MEM_FORMAT_ENCODING"), {0});
  return PickleValue::Object(Class("TensorProperties"),
                             PickleValue::TupleOf(PickleValue::List{
                                 PickleValue::Global("torch", torch::TorchDTypeName(dtype)),
                                 strided, false, contiguous, false}));
}

/// Collects the two dicts of the index, item by item.
class Index {
 public:
  void Add(const std::string& file, const FileItems& items) {
    const std::vector<TensorPlace> places = PlacesOf(items);
    auto place = places.begin();
    for (const TensorItem& item : items.tensors) AddTensor(item, file, *place++);
    for (const BytesItem& item : items.bytes) AddBytes(item, file, *place++);
  }

  PickleValue Finish() && {
    for (auto& [key, tensor] : tensors_) {
      entries_.emplace_back(
          key,
          PickleValue::Object(
              Class("TensorStorageMetadata"),
              PickleValue::DictOf({{"properties", Properties(tensor.dtype)},
                                   {"size", Size(tensor.shape)},
                                   {"chunks", PickleValue::ListOf(std::move(tensor.chunks))}})));
    }
    return PickleValue::Object(
        Class("Metadata"),
        PickleValue::DictOf({{"state_dict_metadata", PickleValue::DictOf(std::move(entries_))},
                             {"planner_data", PickleValue::DictOf({})},
                             {"storage_data", PickleValue::DictOf(std::move(storage_))}}));
  }

 private:
  struct Tensor {
    DType dtype;
    Shape shape;
    PickleValue::List chunks;
  };

  void AddTensor(const TensorItem& item, const std::string& file, const TensorPlace& place) {
    Tensor& tensor =
        tensors_.try_emplace(item.key, Tensor{item.dtype, item.shape, {}}).first->second;
    NEMO_CHECK(tensor.dtype == item.dtype && tensor.shape == item.shape);
    AddStorage({{"fqn", item.key},
                {"index", std::ssize(tensor.chunks)},
                {"offset", Size(item.chunk.offset)}},
               file, place);
    tensor.chunks.push_back(PickleValue::Object(
        Class("ChunkStorageMetadata"), PickleValue::DictOf({{"offsets", Size(item.chunk.offset)},
                                                            {"sizes", Size(item.chunk.extent)}})));
  }

  void AddBytes(const BytesItem& item, const std::string& file, const TensorPlace& place) {
    AddStorage({{"fqn", item.key}, {"index", PickleValue()}}, file, place);
    entries_.emplace_back(item.key,
                          PickleValue::Object(Class("BytesStorageMetadata"), PickleValue()));
  }

  void AddStorage(PickleValue::Dict index, const std::string& file, const TensorPlace& place) {
    storage_.emplace_back(
        PickleValue::Object(Class("MetadataIndex"), PickleValue::DictOf(std::move(index))),
        PickleValue::Object(
            PickleValue::Global("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
            PickleValue::DictOf({{"relative_path", file},
                                 {"offset", place.offset_bytes},
                                 {"length", place.size_bytes}})));
  }

  std::map<std::string, Tensor> tensors_;
  PickleValue::Dict entries_;  ///< state_dict_metadata
  PickleValue::Dict storage_;  ///< storage_data
};

}  // namespace

std::string MetadataPickle(const std::map<std::string, FileItems>& files) {
  Index index;
  for (const auto& [name, items] : files) index.Add(name, items);
  return torch::WritePickle(std::move(index).Finish(), kProtocol);
}

}  // namespace nemo::dcp
