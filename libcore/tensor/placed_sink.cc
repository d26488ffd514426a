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

Status PlacedSink::Declare(std::vector<SinkTensor> tensors) {
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
  NEMO_ASSIGN_OR_RETURN(const Placement placement, WriteIndex(tensors));
  tensors_ = std::move(tensors);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    places_.push_back({placement.offsets[i], tensors_[i].spec.size_bytes()});
  }
  NEMO_ASSIGN_OR_RETURN(file_, OpenForWrite(temporary_path_, /*truncate=*/false));
  return file_->Preallocate(placement.size_bytes);
}

Result<TensorPlace> PlacedSink::PlaceOf(std::string_view name) const {
  const auto it = index_of_.find(name);
  if (it == index_of_.end()) return NotFound(Format("{}: no tensor '{}'", path_, name));
  return places_[it->second];
}

Status PlacedSink::Write(std::string_view name, const Box& box, std::span<const std::byte> in) {
  NEMO_CHECK(file_ != nullptr);
  const auto it = index_of_.find(name);
  if (it == index_of_.end()) return NotFound(Format("{}: no tensor '{}'", path_, name));
  const TensorSpec& spec = tensors_[it->second].spec;
  const int64_t item_size = SizeOf(spec.dtype);
  if (!Contains(spec.shape, box)) {
    return InvalidArgument(Format("{}: tensor {}: box {} leaves the shape {}", path_, name,
                                  ToString(box), FormatList(spec.shape)));
  }
  if (NumElements(box) * item_size != static_cast<int64_t>(in.size())) {
    return InvalidArgument(Format("{}: tensor {}: box {} has {} bytes, the buffer {}", path_, name,
                                  ToString(box), NumElements(box) * item_size, in.size()));
  }
  return WriteBox(*file_, places_[it->second].offset_bytes, spec.shape, box, item_size, in);
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
