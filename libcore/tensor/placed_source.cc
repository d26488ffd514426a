#include "libcore/tensor/placed_source.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

/// A range of bytes and whose it is.
struct HeldBytes {
  int64_t offset_bytes, size_bytes;
  const TensorSpec* spec;
};

/// Appends what `tensor` holds of the file.
Status CollectHeld(const PlacedTensor& tensor, std::vector<HeldBytes>& held) {
  NEMO_RETURN_IF_ERROR(CheckSpec(tensor.spec));
  if (tensor.chunks.empty()) {
    held.push_back({tensor.offset_bytes, tensor.spec.size_bytes(), &tensor.spec});
    return OkStatus();
  }
  NEMO_RETURN_IF_ERROR(CheckChunks(tensor.spec, tensor.chunks));
  for (const StoredChunk& chunk : tensor.chunks.places) {
    held.push_back({chunk.offset_bytes, chunk.size_bytes, &tensor.spec});
  }
  return OkStatus();
}

Status CheckInsideFile(const std::vector<HeldBytes>& held, const RandomAccessFile& file) {
  for (const auto& [offset, size, spec] : held) {
    if (offset >= 0 && offset <= file.size_bytes() && size <= file.size_bytes() - offset) continue;
    return Corruption(
        Format("tensor {}: {} bytes from byte {} on end past the file ({} bytes); "
               "the copy is incomplete",
               spec->name, size, offset, file.size_bytes()));
  }
  return OkStatus();
}

Status CheckDisjoint(std::vector<HeldBytes> held) {
  std::erase_if(held, [](const HeldBytes& bytes) { return bytes.size_bytes == 0; });
  std::sort(held.begin(), held.end(),
            [](const HeldBytes& a, const HeldBytes& b) { return a.offset_bytes < b.offset_bytes; });
  for (size_t i = 1; i < held.size(); ++i) {
    const HeldBytes& before = held[i - 1];
    if (before.offset_bytes + before.size_bytes <= held[i].offset_bytes) continue;
    return Corruption(Format("tensors {} and {} share the bytes from {} on", before.spec->name,
                             held[i].spec->name, held[i].offset_bytes));
  }
  return OkStatus();
}

/// Every tensor's bytes lie inside the file, and no two tensors' in the same place.
Status CheckPlaces(const std::vector<PlacedTensor>& tensors, const RandomAccessFile& file) {
  std::vector<HeldBytes> held;
  for (const PlacedTensor& tensor : tensors) NEMO_RETURN_IF_ERROR(CollectHeld(tensor, held));
  NEMO_RETURN_IF_ERROR(CheckInsideFile(held, file));
  return CheckDisjoint(std::move(held));
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
  }
  NEMO_RETURN_IF_ERROR(CheckPlaces(tensors, *file).At(file->name()));

  auto source = std::make_shared<PlacedSource>();
  source->file_ = std::move(file);
  for (PlacedTensor& tensor : tensors) {
    source->specs_.push_back(std::move(tensor.spec));
    source->offsets_.push_back(tensor.offset_bytes);
    source->chunks_.push_back(std::move(tensor.chunks));
  }
  return source;
}

Status PlacedSource::Read(std::string_view name, const Box& box, std::span<std::byte> out) const {
  const auto checked = CheckRead(*this, name, box, static_cast<int64_t>(out.size()));
  if (!checked) return checked.error().At(file_->name());
  const TensorSpec& spec = **checked;
  const auto index = static_cast<size_t>(&spec - specs_.data());
  if (chunks_[index].empty()) {
    return ReadBox(*file_, offsets_[index], spec.shape, box, SizeOf(spec.dtype), out);
  }
  const auto read_at = [this](int64_t offset, std::span<std::byte> bytes) {
    return file_->ReadAt(offset, bytes);
  };
  return ReadChunks(read_at, spec, chunks_[index], box, out).At(file_->name());
}

int64_t PlacedSource::PhaseOf(std::string_view name, const Box& box) const {
  const TensorSpec* spec = FindSpec(specs_, name);
  if (spec == nullptr) return 0;
  const auto index = static_cast<size_t>(spec - specs_.data());
  if (!chunks_[index].empty()) return 0;
  return PhaseOfBox(*file_, offsets_[index], spec->shape, box, SizeOf(spec->dtype));
}

std::vector<std::string> PlacedSource::FilesOf(std::string_view name, const Box&) const {
  if (FindSpec(specs_, name) == nullptr) return {};
  return {BaseName(file_->name())};
}

Result<TensorPlace> PlacedSource::PlaceOf(std::string_view name) const {
  const TensorSpec* spec = FindSpec(specs_, name);
  if (spec == nullptr) return NotFound(Format("{}: no tensor '{}'", file_->name(), name));
  const auto index = static_cast<size_t>(spec - specs_.data());
  if (chunks_[index].empty()) return TensorPlace{offsets_[index], spec->size_bytes(), {}};
  auto place = PlaceOfChunks(spec->shape, chunks_[index]);
  if (!place) return place.error().At(Format("{}: tensor {}", file_->name(), name));
  return place;
}

}  // namespace nemo
