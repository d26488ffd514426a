// Writing compressed HDF5. Places of chunks depend on the sizes of those before, so the index can
// only be made at the end; its own size is known from the start, so room for it is left in front.
// Data are written by ourselves: the library makes the index in memory and never sees a byte of
// them.
#include <algorithm>
#include <charconv>
#include <mutex>
#include <numeric>
#include <utility>

#include "formats/codec/zstd_frames.h"
#include "formats/hdf5/file.h"
#include "formats/hdf5/zstd_index.h"
#include "libcore/base/check.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/tensor/chunks.h"
#include "libcore/tensor/declaration.h"

namespace nemo::hdf5 {
namespace {

constexpr int64_t kDataAlignment = 4096;  ///< of the first tensor

/// What is known of a tensor so far.
struct TensorState {
  TensorPlace place;
  Hasher hasher;  ///< of the stored bytes
  bool complete = false;
};

class ZstdSink : public TensorSink {
 public:
  ZstdSink(std::string path, int level)
      : path_(std::move(path)), temporary_path_(path_ + ".partial"), level_(level) {}

  Status Declare(std::vector<SinkTensor> tensors) override { return Open(std::move(tensors)); }
  Status Resume(std::vector<SinkTensor> tensors) override;
  Result<TensorPlace> PlaceOf(std::string_view name) const override;
  bool in_order() const override { return true; }
  int64_t RowsPerBlock(std::string_view name) const override;
  Result<EncodedBlock> Encode(std::string_view name, const Box& box,
                              std::span<const std::byte> in) const override;
  Status Reserve(std::string_view name, const Box& box, const EncodedBlock& block) override;
  Status Write(std::string_view name, const Box& box, std::span<const std::byte> bytes) override;
  std::string Note(std::string_view name) const override;
  Status Restore(std::string_view name, std::string_view note) override;
  Status Recall(std::string_view name, const Box& box, std::span<std::byte> out) override;
  Result<FileSummary> Finish(const std::map<std::string, std::string>& checksums) override;

 private:
  Status Open(std::vector<SinkTensor> tensors);
  Result<size_t> Find(std::string_view name) const;
  /// Box and buffer of tensor `index` begin and end with a chunk.
  Status CheckBlock(size_t index, const Box& box) const;
  int64_t ChunkBytes(const TensorSpec& spec) const;
  /// The place that follows everything so far becomes that of tensor `index`, the next in order.
  void Begin(size_t index);
  void Complete(size_t index, std::string xxh3);
  Status WriteIndex(const std::map<std::string, std::string>& checksums);

  const std::string path_;
  const std::string temporary_path_;
  const int level_;
  Declaration declaration_;
  std::unique_ptr<WritableFile> file_;  ///< open between Declare and Finish
  int64_t data_begin_ = 0;
  mutable std::mutex mutex_;         ///< guards what follows
  std::vector<TensorState> states_;  ///< parallel to the declared tensors
  size_t next_ = 0;                  ///< the first tensor that is not complete
  int64_t end_ = 0;                  ///< of all data so far
};

Status ZstdSink::Open(std::vector<SinkTensor> tensors) {
  NEMO_CHECK(file_ == nullptr && states_.empty());
  auto declaration = Declaration::Create(std::move(tensors));
  if (!declaration) return declaration.error().At(path_);
  declaration_ = std::move(declaration).value();
  const auto index_bytes = SizeOfZstdIndex(declaration_.tensors(), level_);
  if (!index_bytes) return index_bytes.error().At(path_);
  data_begin_ = (*index_bytes + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
  end_ = data_begin_;
  states_.resize(declaration_.tensors().size());
  NEMO_ASSIGN_OR_RETURN(file_, OpenForWrite(temporary_path_, /*truncate=*/false));
  NEMO_RETURN_IF_ERROR(file_->Preallocate(data_begin_));
  // Larger than it will be, without taking room: writes that make a file grow wait for each other.
  int64_t size_bytes = data_begin_;
  for (const SinkTensor& tensor : declaration_.tensors()) size_bytes += tensor.spec.size_bytes();
  return file_->Truncate(size_bytes);
}

Status ZstdSink::Resume(std::vector<SinkTensor> tensors) {
  if (KindOf(path_) != PathKind::kAbsent) {
    NEMO_RETURN_IF_ERROR(RenameAndSync(path_, temporary_path_));
  }
  return Open(std::move(tensors));
}

Result<size_t> ZstdSink::Find(std::string_view name) const {
  auto index = declaration_.Find(name);
  if (!index) return index.error().At(path_);
  return index;
}

Result<TensorPlace> ZstdSink::PlaceOf(std::string_view name) const {
  NEMO_ASSIGN_OR_RETURN(const size_t index, Find(name));
  const std::scoped_lock lock(mutex_);
  return states_[index].place;
}

int64_t ZstdSink::RowsPerBlock(std::string_view name) const {
  const auto index = Find(name);
  return index ? std::max<int64_t>(1, ChunkRows(declaration_.spec(*index))) : 1;
}

int64_t ZstdSink::ChunkBytes(const TensorSpec& spec) const {
  return ChunkRows(spec) * (spec.size_bytes() / spec.shape[0]);
}

Status ZstdSink::CheckBlock(size_t index, const Box& box) const {
  const TensorSpec& spec = declaration_.spec(index);
  const int64_t rows = ChunkRows(spec);
  if (rows == 0) return OkStatus();
  const int64_t end = box.offset[0] + box.extent[0];
  const bool whole_rows =
      std::equal(box.extent.begin() + 1, box.extent.end(), spec.shape.begin() + 1);
  if (whole_rows && box.offset[0] % rows == 0 && (end % rows == 0 || end == spec.shape[0])) {
    return OkStatus();
  }
  return InvalidArgument(Format("{}: tensor {}: box {} is not made of chunks of {} rows", path_,
                                spec.name, ToString(box), rows));
}

Result<EncodedBlock> ZstdSink::Encode(std::string_view name, const Box& box,
                                      std::span<const std::byte> in) const {
  const auto index = declaration_.Find(name, box, std::ssize(in));
  if (!index) return index.error().At(path_);
  NEMO_RETURN_IF_ERROR(CheckBlock(*index, box));
  const TensorSpec& spec = declaration_.spec(*index);
  if (ChunkRows(spec) == 0) return EncodedBlock{in, {}, {}};
  EncodedBlock block;
  block.storage.reserve(in.size());
  const auto chunk_bytes = static_cast<size_t>(ChunkBytes(spec));
  std::vector<std::byte> filled;  // the last chunk, with zero rows behind it
  for (size_t at = 0; at < in.size(); at += chunk_bytes) {
    std::span<const std::byte> chunk = in.subspan(at, std::min(chunk_bytes, in.size() - at));
    if (chunk.size() < chunk_bytes) {
      filled.assign(chunk.begin(), chunk.end());
      filled.resize(chunk_bytes);
      chunk = filled;
    }
    const size_t before = block.storage.size();
    zstd::AppendShuffled(chunk, SizeOf(spec.dtype), level_, block.storage);
    block.chunk_bytes.push_back(static_cast<int64_t>(block.storage.size() - before));
  }
  block.bytes = block.storage;
  return block;
}

void ZstdSink::Begin(size_t index) {
  while (next_ < index && declaration_.spec(next_).size_bytes() == 0) ++next_;
  NEMO_CHECK(next_ == index);
  TensorPlace& place = states_[index].place;
  place.offset_bytes = end_;
  place.chunks.rows = ChunkRows(declaration_.spec(index));
}

void ZstdSink::Complete(size_t index, std::string xxh3) {
  if (!states_[index].place.chunks.empty()) {
    states_[index].place.chunks.xxh3 = std::move(xxh3);
  }
  states_[index].complete = true;
  ++next_;
}

Status ZstdSink::Reserve(std::string_view name, const Box& box, const EncodedBlock& block) {
  NEMO_ASSIGN_OR_RETURN(const size_t index, Find(name));
  const TensorSpec& spec = declaration_.spec(index);
  const int64_t rows = ChunkRows(spec);
  const std::scoped_lock lock(mutex_);
  TensorPlace& place = states_[index].place;
  if (place.size_bytes == 0) Begin(index);
  NEMO_CHECK(next_ == index);
  NEMO_CHECK(rows == 0 || box.offset[0] / rows == std::ssize(place.chunks.bytes));
  place.chunks.bytes.insert(place.chunks.bytes.end(), block.chunk_bytes.begin(),
                            block.chunk_bytes.end());
  place.size_bytes += std::ssize(block.bytes);
  end_ += std::ssize(block.bytes);
  states_[index].hasher.Update(block.bytes);
  if (std::ssize(place.chunks.bytes) == CountChunks(spec)) {
    Complete(index, states_[index].hasher.HexDigest());
  }
  return OkStatus();
}

Status ZstdSink::Write(std::string_view name, const Box& box, std::span<const std::byte> bytes) {
  NEMO_ASSIGN_OR_RETURN(const size_t index, Find(name));
  const int64_t rows = ChunkRows(declaration_.spec(index));
  int64_t at = 0;
  {
    const std::scoped_lock lock(mutex_);
    const TensorPlace& place = states_[index].place;
    const int64_t first = rows == 0 ? 0 : box.offset[0] / rows;
    NEMO_CHECK(first <= std::ssize(place.chunks.bytes));
    at = std::accumulate(place.chunks.bytes.begin(), place.chunks.bytes.begin() + first,
                         place.offset_bytes);
    NEMO_CHECK(at + std::ssize(bytes) <= place.offset_bytes + place.size_bytes);
  }
  return file_->WriteAt(at, bytes);
}

std::string ZstdSink::Note(std::string_view name) const {
  const auto place = PlaceOf(name);
  if (!place || place->chunks.empty()) return {};
  return Format("{} {}", place->chunks.xxh3, fmt::join(place->chunks.bytes, " "));
}

/// The numbers behind the checksum of a note.
Result<std::vector<int64_t>> ParseSizes(std::string_view text, int64_t max_size) {
  std::vector<int64_t> sizes;
  while (!text.empty()) {
    int64_t size = 0;
    const auto parsed = std::from_chars(text.data() + 1, text.data() + text.size(), size);
    if (text[0] != ' ' || parsed.ec != std::errc() || size < 1 || size > max_size) {
      return Corruption("a chunk size that is none");
    }
    sizes.push_back(size);
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  }
  return sizes;
}

Status ZstdSink::Restore(std::string_view name, std::string_view note) {
  NEMO_ASSIGN_OR_RETURN(const size_t index, Find(name));
  const TensorSpec& spec = declaration_.spec(index);
  if (spec.size_bytes() == 0 || ChunkRows(spec) == 0) {
    NEMO_RETURN_IF_ERROR(TensorSink::Restore(name, note));
  }
  std::string xxh3;
  std::vector<int64_t> sizes;
  if (ChunkRows(spec) > 0) {
    const size_t digits = std::min(Declaration::kChecksumDigits, note.size());
    xxh3 = note.substr(0, digits);
    const auto parsed = ParseSizes(note.substr(digits), zstd::MaxFrameBytes(ChunkBytes(spec)));
    if (!parsed || std::ssize(*parsed) != CountChunks(spec)) {
      return Corruption(Format("{}: tensor {}: '{}' is no note of {} chunks", path_, name, note,
                               CountChunks(spec)));
    }
    sizes = *parsed;
  }
  const std::scoped_lock lock(mutex_);
  if (spec.size_bytes() == 0) return OkStatus();
  Begin(index);
  TensorPlace& place = states_[index].place;
  place.size_bytes =
      sizes.empty() ? spec.size_bytes() : std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  place.chunks.bytes = std::move(sizes);
  end_ += place.size_bytes;
  Complete(index, std::move(xxh3));
  return OkStatus();
}

Status ZstdSink::Recall(std::string_view name, const Box& box, std::span<std::byte> out) {
  const auto index = declaration_.Find(name, box, std::ssize(out));
  if (!index) return index.error().At(path_);
  if (out.empty()) return OkStatus();
  const TensorSpec& spec = declaration_.spec(*index);
  NEMO_ASSIGN_OR_RETURN(const TensorPlace place, PlaceOf(name));
  const auto read_at = [this](int64_t offset, std::span<std::byte> bytes) {
    return file_->ReadAt(offset, bytes);
  };
  if (ChunkRows(spec) == 0) return read_at(place.offset_bytes, out);
  const Chunks chunks = RowChunks(spec.shape, place, zstd::DecompressShuffled);
  NEMO_RETURN_IF_ERROR(CheckChunks(spec, chunks).At(path_));
  return ReadChunks(read_at, spec, chunks, box, out).At(path_);
}

/// Over the room left in front, so that what a stopped run left there does not matter.
Status ZstdSink::WriteIndex(const std::map<std::string, std::string>& checksums) {
  std::vector<TensorPlace> places;
  for (const TensorState& state : states_) places.push_back(state.place);
  NEMO_ASSIGN_OR_RETURN(
      std::vector<std::byte> index,
      MakeZstdIndex(declaration_.tensors(), places, checksums, level_, data_begin_));
  NEMO_CHECK(std::ssize(index) <= data_begin_);
  index.resize(static_cast<size_t>(data_begin_));
  NEMO_RETURN_IF_ERROR(file_->WriteAt(0, index));
  return file_->Truncate(end_);
}

Result<TensorSink::FileSummary> ZstdSink::Finish(
    const std::map<std::string, std::string>& checksums) {
  NEMO_CHECK(file_ != nullptr);
  NEMO_RETURN_IF_ERROR(declaration_.CheckChecksums(checksums).At(path_));
  std::vector<TensorPlace> places;
  for (size_t i = 0; i < states_.size(); ++i) {
    const TensorSpec& spec = declaration_.spec(i);
    if (spec.size_bytes() > 0 && !states_[i].complete) {
      return InvalidArgument(Format("{}: tensor {} was not written", path_, spec.name));
    }
    places.push_back(states_[i].place);
  }
  NEMO_RETURN_IF_ERROR(WriteIndex(checksums));
  NEMO_RETURN_IF_ERROR(file_->SyncAndClose());
  NEMO_ASSIGN_OR_RETURN(const auto written, nemo::OpenFile(temporary_path_));
  FileSummary summary;
  summary.size_bytes = written->size_bytes();
  NEMO_ASSIGN_OR_RETURN(summary.metadata_xxh3, HashOutside(*written, std::move(places)));
  NEMO_RETURN_IF_ERROR(RenameAndSync(temporary_path_, path_));
  return summary;
}

}  // namespace

std::unique_ptr<TensorSink> CreateZstdSink(const std::string& path, int level) {
  return std::make_unique<ZstdSink>(path, level);
}

}  // namespace nemo::hdf5
