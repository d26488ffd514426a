#include "libcore/tensor/placed_source.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

Status CheckInsideFile(const PlacedTensor& tensor, const RandomAccessFile& file) {
  NEMO_RETURN_IF_ERROR(CheckSpec(tensor.spec));
  const int64_t size = tensor.spec.size_bytes();
  if (tensor.offset_bytes < 0 || tensor.offset_bytes > file.size_bytes() ||
      size > file.size_bytes() - tensor.offset_bytes) {
    return Corruption(
        Format("tensor {}: {} bytes from byte {} on end past the file ({} bytes); "
               "the copy is incomplete",
               tensor.spec.name, size, tensor.offset_bytes, file.size_bytes()));
  }
  return OkStatus();
}

Status CheckDisjoint(const std::vector<PlacedTensor>& tensors) {
  std::vector<const PlacedTensor*> by_offset;
  for (const PlacedTensor& tensor : tensors) {
    if (tensor.spec.size_bytes() > 0) by_offset.push_back(&tensor);
  }
  std::sort(by_offset.begin(), by_offset.end(), [](const PlacedTensor* a, const PlacedTensor* b) {
    return a->offset_bytes < b->offset_bytes;
  });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const PlacedTensor& before = *by_offset[i - 1];
    if (before.offset_bytes + before.spec.size_bytes() > by_offset[i]->offset_bytes) {
      return Corruption(Format("tensors {} and {} share the bytes from {} on", before.spec.name,
                               by_offset[i]->spec.name, by_offset[i]->offset_bytes));
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::shared_ptr<PlacedSource>> PlacedSource::Create(std::shared_ptr<RandomAccessFile> file,
                                                           std::vector<PlacedTensor> tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const PlacedTensor& a, const PlacedTensor& b) { return a.spec.name < b.spec.name; });
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (i > 0 && tensors[i].spec.name == tensors[i - 1].spec.name) {
      return Corruption(
          Format("{}: tensor {} stands in it twice", file->name(), tensors[i].spec.name));
    }
    if (const Status status = CheckInsideFile(tensors[i], *file); !status.ok()) {
      return status.At(file->name());
    }
  }
  if (const Status status = CheckDisjoint(tensors); !status.ok()) return status.At(file->name());

  auto source = std::make_shared<PlacedSource>();
  source->file_ = std::move(file);
  for (PlacedTensor& tensor : tensors) {
    source->specs_.push_back(std::move(tensor.spec));
    source->offsets_.push_back(tensor.offset_bytes);
  }
  return source;
}

Status PlacedSource::Read(std::string_view name, const Box& box, std::span<std::byte> out) const {
  const auto checked = CheckRead(*this, name, box, static_cast<int64_t>(out.size()));
  if (!checked) return checked.error().At(file_->name());
  const TensorSpec& spec = **checked;
  const int64_t offset = offsets_[static_cast<size_t>(&spec - specs_.data())];
  return ReadBox(*file_, offset, spec.shape, box, SizeOf(spec.dtype), out);
}

std::vector<std::string> PlacedSource::FilesOf(std::string_view name, const Box&) const {
  if (FindSpec(specs_, name) == nullptr) return {};
  return {BaseName(file_->name())};
}

Result<TensorPlace> PlacedSource::PlaceOf(std::string_view name) const {
  const TensorSpec* spec = FindSpec(specs_, name);
  if (spec == nullptr) return NotFound(Format("{}: no tensor '{}'", file_->name(), name));
  return TensorPlace{offsets_[static_cast<size_t>(spec - specs_.data())], spec->size_bytes()};
}

}  // namespace nemo
