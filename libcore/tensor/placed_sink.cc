#include "libcore/tensor/placed_sink.h"

#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

constexpr size_t kChecksumDigits = 32;

}  // namespace

PlacedSink::PlacedSink(std::string path)
    : path_(std::move(path)), temporary_path_(path_ + ".partial") {}

const std::string& PlacedSink::NoChecksum() {
  static const std::string zeros(kChecksumDigits, '0');
  return zeros;
}

Status PlacedSink::CheckDeclaration(const std::vector<SinkTensor>& tensors) {
  NEMO_CHECK(file_ == nullptr && places_.empty());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& spec = tensors[i].spec;
    if (!index_of_.emplace(spec.name, i).second) {
      return InvalidArgument(Format("{}: tensor {} is declared twice", path_, spec.name));
    }
    if (const Status status = CheckSpec(spec); !status.ok()) {
      return InvalidArgument(Format("{}: {}", path_, status.message()));
    }
  }
  return OkStatus();
}

Status PlacedSink::Open(std::vector<SinkTensor> tensors, const Placement& placement) {
  tensors_ = std::move(tensors);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    places_.push_back({placement.offsets[i], tensors_[i].spec.size_bytes()});
  }
  NEMO_ASSIGN_OR_RETURN(file_, OpenForWrite(temporary_path_, /*truncate=*/false));
  return file_->Preallocate(placement.size_bytes);
}

Status PlacedSink::Declare(std::vector<SinkTensor> tensors) {
  NEMO_RETURN_IF_ERROR(CheckDeclaration(tensors));
  NEMO_ASSIGN_OR_RETURN(const Placement placement, WriteIndex(temporary_path_, tensors));
  return Open(std::move(tensors), placement);
}

Status PlacedSink::Resume(std::vector<SinkTensor> tensors) {
  if (KindOf(path_) != PathKind::kAbsent) {
    NEMO_RETURN_IF_ERROR(RenameAndSync(path_, temporary_path_));
  }
  if (KindOf(temporary_path_) == PathKind::kAbsent) return Declare(std::move(tensors));
  NEMO_RETURN_IF_ERROR(CheckDeclaration(tensors));
  // The old index may be torn or have its checksums: a fresh one goes over it, around the data.
  const std::string index_path = temporary_path_ + ".index";
  NEMO_ASSIGN_OR_RETURN(const Placement placement, WriteIndex(index_path, tensors));
  NEMO_RETURN_IF_ERROR(Graft(index_path, placement, tensors));
  NEMO_RETURN_IF_ERROR(RemoveAll(index_path));
  return Open(std::move(tensors), placement);
}

/// Copies everything but data from the file at `index_path` to the temporary one.
Status PlacedSink::Graft(const std::string& index_path, const Placement& placement,
                         const std::vector<SinkTensor>& tensors) {
  NEMO_ASSIGN_OR_RETURN(const auto index, OpenForWrite(index_path, /*truncate=*/false));
  NEMO_RETURN_IF_ERROR(index->Truncate(placement.size_bytes));
  NEMO_ASSIGN_OR_RETURN(const auto from, OpenFile(index_path));
  NEMO_ASSIGN_OR_RETURN(const auto to, OpenForWrite(temporary_path_, /*truncate=*/false));
  NEMO_RETURN_IF_ERROR(to->Truncate(placement.size_bytes));
  std::vector<TensorPlace> places;
  for (size_t i = 0; i < tensors.size(); ++i) {
    places.push_back({placement.offsets[i], tensors[i].spec.size_bytes()});
  }
  return ForEachOutside(
      *from, std::move(places),
      [&](int64_t offset, std::span<const std::byte> bytes) { return to->WriteAt(offset, bytes); });
}

void PlacedSink::Observe(size_t, int64_t, std::span<const std::byte>) {}

Result<TensorPlace> PlacedSink::PlaceOf(std::string_view name) const {
  const auto it = index_of_.find(name);
  if (it == index_of_.end()) return NotFound(Format("{}: no tensor '{}'", path_, name));
  return places_[it->second];
}

Result<size_t> PlacedSink::Check(std::string_view name, const Box& box, int64_t size_bytes) const {
  NEMO_CHECK(file_ != nullptr);
  const auto it = index_of_.find(name);
  if (it == index_of_.end()) return NotFound(Format("{}: no tensor '{}'", path_, name));
  const TensorSpec& spec = tensors_[it->second].spec;
  if (!Contains(spec.shape, box)) {
    return InvalidArgument(Format("{}: tensor {}: box {} leaves the shape {}", path_, name,
                                  ToString(box), FormatList(spec.shape)));
  }
  const int64_t box_bytes = NumElements(box) * SizeOf(spec.dtype);
  if (box_bytes != size_bytes) {
    return InvalidArgument(Format("{}: tensor {}: box {} has {} bytes, the buffer {}", path_, name,
                                  ToString(box), box_bytes, size_bytes));
  }
  return it->second;
}

Status PlacedSink::Write(std::string_view name, const Box& box, std::span<const std::byte> in) {
  NEMO_ASSIGN_OR_RETURN(const size_t tensor, Check(name, box, std::ssize(in)));
  const TensorSpec& spec = tensors_[tensor].spec;
  return ForEachRun(
      spec.shape, box, SizeOf(spec.dtype), [&](int64_t at, int64_t from, int64_t size) {
        const auto run = in.subspan(static_cast<size_t>(from), static_cast<size_t>(size));
        Observe(tensor, at, run);
        return file_->WriteAt(places_[tensor].offset_bytes + at, run);
      });
}

Status PlacedSink::Recall(std::string_view name, const Box& box, std::span<std::byte> out) {
  NEMO_ASSIGN_OR_RETURN(const size_t tensor, Check(name, box, std::ssize(out)));
  const TensorSpec& spec = tensors_[tensor].spec;
  return ForEachRun(
      spec.shape, box, SizeOf(spec.dtype), [&](int64_t at, int64_t to, int64_t size) -> Status {
        const auto run = out.subspan(static_cast<size_t>(to), static_cast<size_t>(size));
        NEMO_RETURN_IF_ERROR(file_->ReadAt(places_[tensor].offset_bytes + at, run));
        Observe(tensor, at, run);
        return OkStatus();
      });
}

Result<TensorSink::FileSummary> PlacedSink::Finish(
    const std::map<std::string, std::string>& checksums) {
  NEMO_CHECK(file_ != nullptr);
  for (const SinkTensor& tensor : tensors_) {
    const auto it = checksums.find(tensor.spec.name);
    if (it == checksums.end() || it->second.size() != kChecksumDigits) {
      return InvalidArgument(Format("{}: tensor {} was given no XXH3-128 of {} digits", path_,
                                    tensor.spec.name, kChecksumDigits));
    }
  }
  NEMO_RETURN_IF_ERROR(WriteChecksums(tensors_, checksums));
  // The sync covers what the index was written through as well: it is the same file.
  NEMO_RETURN_IF_ERROR(file_->SyncAndClose());
  NEMO_ASSIGN_OR_RETURN(const auto written, OpenFile(temporary_path_));
  FileSummary summary;
  summary.size_bytes = written->size_bytes();
  NEMO_ASSIGN_OR_RETURN(summary.metadata_xxh3, HashOutside(*written, places_));
  NEMO_RETURN_IF_ERROR(RenameAndSync(temporary_path_, path_));
  return summary;
}

}  // namespace nemo
