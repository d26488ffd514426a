#include "libcore/model/canonical_source.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

Status CheckPiece(const TensorSpec& spec, const NamePiece& piece,
                  const std::vector<std::shared_ptr<const TensorSource>>& stored) {
  NEMO_CHECK(piece.source_index >= 0 && piece.source_index < static_cast<int>(stored.size()));
  const auto specs = stored[static_cast<size_t>(piece.source_index)]->specs();
  const TensorSpec* found = FindSpec(specs, piece.stored_name);
  if (found == nullptr) {
    return NotFound(Format("tensor {}: '{}' is missing", spec.name, piece.stored_name));
  }
  if (found->dtype != spec.dtype) {
    return Corruption(Format("tensor {}: '{}' has dtype {}, expected {}", spec.name,
                             piece.stored_name, DTypeName(found->dtype), DTypeName(spec.dtype)));
  }
  if (!Contains(found->shape, piece.stored) || !Contains(spec.shape, piece.canonical)) {
    return Corruption(Format("tensor {}: '{}' has shape {}, which does not hold {}", spec.name,
                             piece.stored_name, FormatList(found->shape), ToString(piece.stored)));
  }
  return OkStatus();
}

}  // namespace

Result<std::shared_ptr<CanonicalSource>> CanonicalSource::Create(
    std::vector<TensorSpec> canonical, NameMap map,
    std::vector<std::shared_ptr<const TensorSource>> stored) {
  std::sort(canonical.begin(), canonical.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  for (const TensorSpec& spec : canonical) {
    NEMO_RETURN_IF_ERROR(CheckSpec(spec));
    const std::vector<NamePiece>* pieces = map.Find(spec.name);
    if (pieces == nullptr) return NotFound(Format("tensor {} is missing", spec.name));
    for (const NamePiece& piece : *pieces) NEMO_RETURN_IF_ERROR(CheckPiece(spec, piece, stored));
    NEMO_RETURN_IF_ERROR(map.Locate(spec.name, Box::Whole(spec.shape)).error());
  }
  auto source = std::make_shared<CanonicalSource>();
  source->specs_ = std::move(canonical);
  source->map_ = std::move(map);
  source->stored_ = std::move(stored);
  return source;
}

Status CanonicalSource::Read(std::string_view name, const Box& box,
                             std::span<std::byte> out) const {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec,
                        CheckRead(*this, name, box, static_cast<int64_t>(out.size())));
  NEMO_ASSIGN_OR_RETURN(const std::vector<NamePiece> pieces, map_.Locate(name, box));
  if (pieces.size() == 1) return ReadPiece(pieces.front(), out);
  std::vector<std::byte> buffer;
  for (const NamePiece& piece : pieces) {
    buffer.resize(static_cast<size_t>(NumElements(piece.canonical) * SizeOf(spec->dtype)));
    NEMO_RETURN_IF_ERROR(ReadPiece(piece, buffer));
    CopyBox(buffer.data(), piece.canonical.extent, Box::Whole(piece.canonical.extent), out.data(),
            box.extent, RelativeTo(piece.canonical, box.offset), SizeOf(spec->dtype));
  }
  return OkStatus();
}

int64_t CanonicalSource::PhaseOf(std::string_view name, const Box& box) const {
  const Result<std::vector<NamePiece>> pieces = map_.Locate(name, box);
  if (!pieces || pieces->size() != 1) return 0;
  const NamePiece& piece = pieces->front();
  return stored_[static_cast<size_t>(piece.source_index)]->PhaseOf(piece.stored_name, piece.stored);
}

Status CanonicalSource::ProveReads() const {
  for (const auto& stored : stored_) NEMO_RETURN_IF_ERROR(stored->ProveReads());
  return OkStatus();
}

Status CanonicalSource::ReadPiece(const NamePiece& piece, std::span<std::byte> out) const {
  return stored_[static_cast<size_t>(piece.source_index)]->Read(piece.stored_name, piece.stored,
                                                                out);
}

std::string CanonicalSource::FileOfPiece(const NamePiece& piece) const {
  const TensorSource& stored = *stored_[static_cast<size_t>(piece.source_index)];
  return Format("{}", fmt::join(stored.FilesOf(piece.stored_name, piece.stored), " "));
}

std::vector<std::string> CanonicalSource::FilesOf(std::string_view name, const Box& box) const {
  std::vector<std::string> files;
  const Result<std::vector<NamePiece>> pieces = map_.Locate(name, box);
  if (!pieces) return files;
  for (const NamePiece& piece : *pieces) {
    const TensorSource& stored = *stored_[static_cast<size_t>(piece.source_index)];
    for (std::string& file : stored.FilesOf(piece.stored_name, piece.stored)) {
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

}  // namespace nemo
