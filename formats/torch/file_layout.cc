#include "formats/torch/file_layout.h"

#include <algorithm>
#include <utility>

#include "formats/codec/crc32.h"
#include "formats/torch/storage_id.h"
#include "formats/torch/zip_records.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr int kProtocol = 2;  // torch.save's default
/// data.pkl and byteorder stand before the storages.
constexpr size_t kFirstTensor = 2;

/// Of a dense row-major tensor, in elements.
std::vector<int64_t> DenseStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

}  // namespace

PickleValue TensorValue(const TensorSpec& spec, int64_t storage) {
  const PickleValue type = PickleValue::Global("torch", StorageClassName(spec.dtype));
  const PickleValue id = PickleValue::TupleOf(
      PickleValue::List{"storage", type, Format("{}", storage), "cpu", NumElements(spec.shape)});
  return PickleValue::Call(
      PickleValue::Global("torch._utils", "_rebuild_tensor_v2"),
      {PickleValue::PersistentId(id), 0, PickleValue::TupleOf(spec.shape),
       PickleValue::TupleOf(DenseStrides(spec.shape)), false, PickleValue::OrderedDict({})});
}

PickleValue StateDictValue(std::span<const TensorSpec> tensors) {
  PickleValue::Dict entries;
  int64_t storage = 0;
  for (const TensorSpec& spec : tensors) {
    entries.emplace_back(spec.name, TensorValue(spec, storage++));
  }
  return PickleValue::DictOf(std::move(entries));
}

FileLayout::FileLayout(const std::string& root, std::span<const TensorSpec> tensors,
                       const PickleValue& object) {
  Add(root + "/data.pkl", WritePickle(object, kProtocol));
  Add(root + "/byteorder", "little");
  NEMO_CHECK(entries_.size() == kFirstTensor);
  for (size_t i = 0; i < tensors.size(); ++i) {
    AddTensor(Format("{}/data/{}", root, i), tensors[i].size_bytes());
  }
  Add(root + "/version", "3\n");
  directory_offset_ = size_bytes_;
  size_bytes_ += static_cast<int64_t>(ZipDirectoryAndEnd(entries_, directory_offset_).size());
}

void FileLayout::Add(std::string name, std::string bytes) {
  ZipEntry entry;
  entry.name = std::move(name);
  entry.size_bytes = static_cast<int64_t>(bytes.size());
  entry.crc32 = Crc32(std::as_bytes(std::span(bytes)));
  Place(std::move(entry), std::move(bytes));
}

void FileLayout::AddTensor(std::string name, int64_t size_bytes) {
  ZipEntry entry;
  entry.name = std::move(name);
  entry.size_bytes = size_bytes;
  Place(std::move(entry), "");
  data_offsets_.push_back(entries_.back().offset_bytes);
}

void FileLayout::Place(ZipEntry entry, std::string bytes) {
  entry.header_bytes = size_bytes_;
  entry.offset_bytes = size_bytes_ + static_cast<int64_t>(ZipLocalHeader(entry).size());
  size_bytes_ =
      entry.offset_bytes + entry.size_bytes + static_cast<int64_t>(ZipDescriptor(entry).size());
  entries_.push_back(std::move(entry));
  bytes_.push_back(std::move(bytes));
}

std::vector<Piece> FileLayout::Pieces(std::span<const uint32_t> crc32) const {
  NEMO_CHECK(crc32.size() == data_offsets_.size());
  std::vector<ZipEntry> entries = entries_;
  std::vector<Piece> pieces = {{0, ""}};
  for (size_t i = 0; i < entries.size(); ++i) {
    ZipEntry& entry = entries[i];
    const bool is_tensor = i >= kFirstTensor && i < kFirstTensor + crc32.size();
    if (is_tensor) entry.crc32 = crc32[i - kFirstTensor];
    pieces.back().bytes += ZipLocalHeader(entry) + bytes_[i];
    if (is_tensor) pieces.push_back({entry.offset_bytes + entry.size_bytes, ""});
    pieces.back().bytes += ZipDescriptor(entry);
  }
  pieces.back().bytes += ZipDirectoryAndEnd(entries, directory_offset_);
  return pieces;
}

std::string TorchFileOf(const std::string& root, const PickleValue& object) {
  return FileLayout(root, {}, object).Pieces({}).front().bytes;
}

}  // namespace nemo::torch
