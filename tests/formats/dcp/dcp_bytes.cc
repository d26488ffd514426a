#include "tests/formats/dcp/dcp_bytes.h"

#include <algorithm>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include "formats/codec/crc32.h"
#include "tests/formats/dcp/pickle_bytes.h"

namespace nemo::testing {
namespace {

constexpr std::string_view kMetadataModule = "torch.distributed.checkpoint.metadata";

struct TorchNames {
  DType dtype;
  std::string_view storage;
  std::string_view name;
};
constexpr TorchNames kTorchNames[] = {{DType::kBF16, "BFloat16Storage", "bfloat16"},
                                      {DType::kF32, "FloatStorage", "float32"},
                                      {DType::kU8, "ByteStorage", "uint8"},
                                      {DType::kI32, "IntStorage", "int32"}};

const TorchNames& NamesOf(DType dtype) {
  return *std::find_if(std::begin(kTorchNames), std::end(kTorchNames),
                       [&](const TorchNames& row) { return row.dtype == dtype; });
}

/// A zip archive of stored entries.
std::string Zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string bytes, directory;
  for (const auto& [name, data] : entries) {
    const std::string sums = LittleEndian(Crc32(std::as_bytes(std::span(data))), 4) +
                             LittleEndian(data.size(), 4) + LittleEndian(data.size(), 4) +
                             LittleEndian(name.size(), 2) + LittleEndian(0, 2);
    const std::string begin = LittleEndian(20, 2) + LittleEndian(0, 8);  // version .. date
    directory += "PK\x01\x02" + LittleEndian(20, 2) + begin + sums + LittleEndian(0, 10) +
                 LittleEndian(bytes.size(), 4) + name;
    bytes += "PK\x03\x04" + begin + sums + name + data;
  }
  const std::string end = std::string("PK\x05\x06") + LittleEndian(0, 4) +
                          LittleEndian(entries.size(), 2) + LittleEndian(entries.size(), 2) +
                          LittleEndian(directory.size(), 4) + LittleEndian(bytes.size(), 4) +
                          LittleEndian(0, 2);
  return bytes + directory + end;
}

Opcodes MetadataObject(std::string_view type, const Opcodes& state) {
  return Object(Global(kMetadataModule, type), state);
}

Opcodes StorageInfo(const MetadataChunk& chunk) {
  std::vector<std::pair<Opcodes, Opcodes>> fields = {
      {Text("relative_path"), Text(chunk.relative_path)},
      {Text("offset"), Int(chunk.offset_bytes)},
      {Text("length"), Int(chunk.size_bytes)}};
  if (!chunk.transform.empty()) {
    fields.emplace_back(Text("transform_descriptors"), List({Text(chunk.transform)}));
  }
  return Object(Global("torch.distributed.checkpoint.filesystem", "_StorageInfo"), Dict(fields));
}

Opcodes TensorMetadata(const MetadataTensor& tensor) {
  std::vector<Opcodes> chunks;
  for (const MetadataChunk& chunk : tensor.chunks) {
    chunks.push_back(
        MetadataObject("ChunkStorageMetadata", Dict({{Text("offsets"), Size(chunk.box.offset)},
                                                     {Text("sizes"), Size(chunk.box.extent)}})));
  }
  const Opcodes layout =
      Call(Global("torch.serialization", "_get_layout"), Tuple({Text("torch.strided")}));
  const Opcodes properties = MetadataObject(
      "TensorProperties", Tuple({Global("torch", tensor.dtype), layout, False(), Int(0), False()}));
  return MetadataObject("TensorStorageMetadata", Dict({{Text("properties"), properties},
                                                       {Text("size"), Size(tensor.shape)},
                                                       {Text("chunks"), List(chunks)}}));
}

}  // namespace

std::string TensorItem(std::string_view storage_class, const Shape& shape, std::string_view data) {
  std::vector<Opcodes> extents, strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = Int(stride);
    stride *= shape[axis];
  }
  for (const int64_t extent : shape) extents.push_back(Int(extent));
  const Opcodes storage = PersistentId(Tuple(
      {Text("storage"), Global("torch", storage_class), Text("0"), Text("cpu"), Int(stride)}));
  const Opcodes hooks = Call(Global("collections", "OrderedDict"), Tuple({}));
  const Opcodes tensor =
      Call(Global("torch._utils", "_rebuild_tensor_v2"),
           Tuple({storage, Int(0), Tuple(extents), Tuple(strides), False(), hooks}));
  return Zip({{"archive/data.pkl", Pickle(tensor)},
              {"archive/byteorder", "little"},
              {"archive/data/0", std::string(data)},
              {"archive/version", "3\n"}});
}

std::string MetadataBytes(const std::vector<MetadataTensor>& tensors) {
  const Opcodes bytes_name = Text("model.x._extra_state/shard_0_1");
  std::vector<std::pair<Opcodes, Opcodes>> state_dict = {
      {bytes_name, MetadataObject("BytesStorageMetadata", Dict({}))}};
  std::vector<std::pair<Opcodes, Opcodes>> storage = {
      {MetadataObject("MetadataIndex", Dict({{Text("fqn"), bytes_name}, {Text("index"), None()}})),
       StorageInfo({{}, "__9_9.distcp", 0, 5, "", true})}};
  for (const MetadataTensor& tensor : tensors) {
    state_dict.emplace_back(Text(tensor.name), TensorMetadata(tensor));
    for (size_t i = 0; i < tensor.chunks.size(); ++i) {
      const MetadataChunk& chunk = tensor.chunks[i];
      if (!chunk.has_storage) continue;
      const Opcodes index =
          MetadataObject("MetadataIndex", Dict({{Text("fqn"), Text(tensor.name)},
                                                {Text("offset"), Size(chunk.box.offset)},
                                                {Text("index"), Int(static_cast<int64_t>(i))}}));
      storage.emplace_back(index, StorageInfo(chunk));
    }
  }
  std::reverse(storage.begin(), storage.end());  // its order does not matter
  return Pickle(MetadataObject("Metadata", Dict({{Text("state_dict_metadata"), Dict(state_dict)},
                                                 {Text("planner_data"), None()},
                                                 {Text("storage_data"), Dict(storage)}})));
}

void DcpFiles::Add(std::string_view name, const Box& box, const std::string& file) {
  const TensorSpec* spec = FindSpec(source_.specs(), name);
  ASSERT_NE(spec, nullptr) << name;
  std::vector<std::byte> data(static_cast<size_t>(NumElements(box) * SizeOf(spec->dtype)));
  ASSERT_TRUE(source_.Read(name, box, data).ok());
  const std::string item =
      TensorItem(NamesOf(spec->dtype).storage, box.extent,
                 std::string_view(reinterpret_cast<const char*>(data.data()), data.size()));
  auto tensor = std::find_if(tensors_.begin(), tensors_.end(),
                             [&](const MetadataTensor& t) { return t.name == name; });
  if (tensor == tensors_.end()) {
    tensors_.push_back({spec->name, std::string(NamesOf(spec->dtype).name), spec->shape, {}});
    tensor = tensors_.end() - 1;
  }
  std::string& bytes = files_[file];
  tensor->chunks.push_back(
      {box, file, static_cast<int64_t>(bytes.size()), static_cast<int64_t>(item.size()), "", true});
  bytes += item;
}

std::map<std::string, std::string> DcpFiles::Files() const {
  std::map<std::string, std::string> files = files_;
  files[".metadata"] = MetadataBytes(tensors_);
  return files;
}

}  // namespace nemo::testing
