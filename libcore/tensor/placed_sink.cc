#include "libcore/tensor/placed_sink.h"

#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {

PlacedSink::PlacedSink(const std::string& path) : PlacedSink(path, path + ".partial") {}

PlacedSink::PlacedSink(std::string path, std::string temporary_path)
    : path_(std::move(path)), temporary_path_(std::move(temporary_path)) {}

const std::string& PlacedSink::NoChecksum() {
  static const std::string zeros(Declaration::kChecksumDigits, '0');
  return zeros;
}

Status PlacedSink::Take(std::vector<SinkTensor> tensors) {
  NEMO_CHECK(file_ == nullptr && places_.empty());
  auto declaration = Declaration::Create(std::move(tensors));
  if (!declaration) return declaration.error().At(path_);
  declaration_ = std::move(declaration).value();
  return OkStatus();
}

std::vector<TensorPlace> PlacedSink::PlacesIn(const Placement& placement) const {
  std::vector<TensorPlace> places;
  for (const SinkTensor& tensor : declaration_.tensors()) {
    places.push_back({placement.offsets[places.size()], tensor.spec.size_bytes(), {}});
  }
  return places;
}

Status PlacedSink::Open(const Placement& placement) {
  places_ = PlacesIn(placement);
  NEMO_ASSIGN_OR_RETURN(file_, OpenToWrite(temporary_path_));
  return file_->Preallocate(placement.size_bytes);
}

Status PlacedSink::Declare(std::vector<SinkTensor> tensors) {
  NEMO_RETURN_IF_ERROR(Take(std::move(tensors)));
  NEMO_ASSIGN_OR_RETURN(const Placement placement,
                        WriteIndex(temporary_path_, declaration_.tensors()));
  return Open(placement);
}

Status PlacedSink::Resume(std::vector<SinkTensor> tensors) {
  if (KindOf(path_) != PathKind::kAbsent) {
    NEMO_RETURN_IF_ERROR(RenameAndSync(path_, temporary_path_));
  }
  if (KindOf(temporary_path_) == PathKind::kAbsent) return Declare(std::move(tensors));
  NEMO_RETURN_IF_ERROR(Take(std::move(tensors)));
  // The old index may be torn or have its checksums: a fresh one goes over it, around the data.
  const std::string index_path = temporary_path_ + ".index";
  NEMO_ASSIGN_OR_RETURN(const Placement placement, WriteIndex(index_path, declaration_.tensors()));
  NEMO_RETURN_IF_ERROR(Graft(index_path, placement));
  NEMO_RETURN_IF_ERROR(RemoveAll(index_path));
  return Open(placement);
}

/// Copies everything but data from the file at `index_path` to the temporary one.
Status PlacedSink::Graft(const std::string& index_path, const Placement& placement) {
  NEMO_ASSIGN_OR_RETURN(const auto index, OpenToWrite(index_path));
  NEMO_RETURN_IF_ERROR(index->Truncate(placement.size_bytes));
  NEMO_ASSIGN_OR_RETURN(const auto from, OpenToRead(index_path));
  NEMO_ASSIGN_OR_RETURN(const auto to, OpenToWrite(temporary_path_));
  NEMO_RETURN_IF_ERROR(to->Truncate(placement.size_bytes));
  return ForEachOutside(
      *from, PlacesIn(placement),
      [&](int64_t offset, std::span<const std::byte> bytes) { return to->WriteAt(offset, bytes); });
}

void PlacedSink::Observe(size_t, int64_t, std::span<const std::byte>) {}

Result<std::unique_ptr<WritableFile>> PlacedSink::OpenToWrite(const std::string& path) const {
  return OpenForWrite(path, /*truncate=*/false);
}

Result<std::shared_ptr<RandomAccessFile>> PlacedSink::OpenToRead(const std::string& path) const {
  return OpenFile(path);
}

Result<TensorPlace> PlacedSink::PlaceOf(std::string_view name) const {
  const auto index = declaration_.Find(name);
  if (!index) return index.error().At(path_);
  return places_[*index];
}

Result<size_t> PlacedSink::Check(std::string_view name, const Box& box, int64_t size_bytes) const {
  NEMO_CHECK(file_ != nullptr);
  auto index = declaration_.Find(name, box, size_bytes);
  if (!index) return index.error().At(path_);
  return index;
}

Status PlacedSink::Write(std::string_view name, const Box& box, std::span<const std::byte> in) {
  NEMO_ASSIGN_OR_RETURN(const size_t tensor, Check(name, box, std::ssize(in)));
  const TensorSpec& spec = declaration_.spec(tensor);
  return ForEachRun(
      spec.shape, box, SizeOf(spec.dtype), [&](int64_t at, int64_t from, int64_t size) {
        const auto run = in.subspan(static_cast<size_t>(from), static_cast<size_t>(size));
        Observe(tensor, at, run);
        return file_->WriteAt(places_[tensor].offset_bytes + at, run);
      });
}

Status PlacedSink::Recall(std::string_view name, const Box& box, std::span<std::byte> out) {
  NEMO_ASSIGN_OR_RETURN(const size_t tensor, Check(name, box, std::ssize(out)));
  const TensorSpec& spec = declaration_.spec(tensor);
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
  NEMO_RETURN_IF_ERROR(declaration_.CheckChecksums(checksums).At(path_));
  NEMO_RETURN_IF_ERROR(WriteChecksums(declaration_.tensors(), checksums));
  // The sync covers what the index was written through as well: it is the same file.
  NEMO_RETURN_IF_ERROR(file_->SyncAndClose());
  NEMO_ASSIGN_OR_RETURN(const auto written, OpenToRead(temporary_path_));
  FileSummary summary;
  summary.size_bytes = written->size_bytes();
  NEMO_ASSIGN_OR_RETURN(summary.metadata_xxh3, HashOutside(*written, places_));
  NEMO_RETURN_IF_ERROR(RenameAndSync(temporary_path_, path_));
  return summary;
}

}  // namespace nemo
