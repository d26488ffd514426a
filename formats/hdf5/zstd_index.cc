#include "formats/hdf5/zstd_index.h"

#include <algorithm>

#include "formats/hdf5/dataset.h"
#include "formats/hdf5/index_image.h"
#include "formats/hdf5/library.h"
#include "formats/hdf5/zstd_filter.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/tensor/chunks.h"
#include "libcore/tensor/declaration.h"

namespace nemo::hdf5 {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

/// Chunks of `chunk_rows` rows, byte-shuffled, then compressed.
Handle ChunkedCreation(const TensorSpec& spec, int level) {
  Handle creation = DatasetCreation(H5D_CHUNKED, H5D_ALLOC_TIME_INCR);
  std::vector<hsize_t> chunk(spec.shape.begin(), spec.shape.end());
  chunk[0] = static_cast<hsize_t>(ChunkRows(spec));
  const unsigned values[] = {static_cast<unsigned>(level)};
  const bool ok = creation.ok() &&
                  H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()) >= 0 &&
                  H5Pset_shuffle(creation.get()) >= 0 &&
                  H5Pset_filter(creation.get(), kZstdFilter, H5Z_FLAG_MANDATORY, level > 0 ? 1 : 0,
                                values) >= 0;
  return ok ? std::move(creation) : Handle();
}

/// Enters all chunks of `dataset`. The library passes `nothing` on to the driver, which drops it.
Status EnterChunks(hid_t dataset, const SinkTensor& tensor, const TensorPlace& place,
                   const std::vector<std::byte>& nothing) {
  std::vector<hsize_t> origin(tensor.spec.shape.size(), 0);
  for (const int64_t size : place.chunks.bytes) {
    NEMO_CHECK(size <= std::ssize(nothing));
    if (H5Dwrite_chunk(dataset, H5P_DEFAULT, /*filters=*/0, origin.data(),
                       static_cast<size_t>(size), nothing.data()) < 0) {
      return LibraryError(StatusCode::kIo, "entering the chunks of " + tensor.spec.name);
    }
    origin[0] += static_cast<hsize_t>(place.chunks.rows);
  }
  return OkStatus();
}

Status EnterTensor(hid_t file, const SinkTensor& tensor, const TensorPlace& place,
                   const std::string& checksum, int level, const std::vector<std::byte>& nothing) {
  const bool chunked = ChunkRows(tensor.spec) > 0;
  const Handle creation = chunked ? ChunkedCreation(tensor.spec, level)
                                  : DatasetCreation(H5D_CONTIGUOUS, H5D_ALLOC_TIME_LATE);
  if (!creation.ok()) return LibraryError(StatusCode::kIo, "dataset properties");
  NEMO_ASSIGN_OR_RETURN(const Handle dataset,
                        CreateDataset(file, creation.get(), tensor, checksum));
  if (chunked) return EnterChunks(dataset.get(), tensor, place, nothing);
  NEMO_ASSIGN_OR_RETURN(const int64_t offset, PlaceContiguous(file, tensor.spec));
  NEMO_CHECK(place.size_bytes == 0 || offset == place.offset_bytes);
  return OkStatus();
}

/// Enough bytes for the largest chunk, and the end of the last one.
std::vector<std::byte> NothingFor(const std::vector<TensorPlace>& places) {
  int64_t largest = 0;
  for (const TensorPlace& place : places) {
    for (const int64_t size : place.chunks.bytes) largest = std::max(largest, size);
  }
  return std::vector<std::byte>(static_cast<size_t>(largest));
}

Status CheckTensor(const TensorSpec& spec) {
  NEMO_RETURN_IF_ERROR(CheckExpressible(spec));
  const int64_t rows = ChunkRows(spec);
  if (rows == 0 || spec.size_bytes() / spec.shape[0] <= kMaxChunkBytes) return OkStatus();
  return InvalidArgument(Format(
      "tensor {}: a row of {} is larger than chunks may be ({}); leave "
      "it uncompressed",
      spec.name, FormatBytes(spec.size_bytes() / spec.shape[0]), FormatBytes(kMaxChunkBytes)));
}

}  // namespace

int64_t ChunkRows(const TensorSpec& spec) {
  if (spec.shape.empty() || spec.size_bytes() == 0) return 0;
  const int64_t rows = spec.shape[0];
  const int64_t fitting = std::clamp(kChunkBytes / (spec.size_bytes() / rows), int64_t{1}, rows);
  const int64_t chunks = (rows + fitting - 1) / fitting;
  return (rows + chunks - 1) / chunks;
}

int64_t CountChunks(const TensorSpec& spec) {
  const int64_t rows = ChunkRows(spec);
  return rows == 0 ? 0 : (spec.shape[0] + rows - 1) / rows;
}

Result<std::vector<std::byte>> MakeZstdIndex(const std::vector<SinkTensor>& tensors,
                                             const std::vector<TensorPlace>& places,
                                             const std::map<std::string, std::string>& checksums,
                                             int level, int64_t data_begin) {
  for (const SinkTensor& tensor : tensors) NEMO_RETURN_IF_ERROR(CheckTensor(tensor.spec));
  const LibraryLock lock;
  if (H5Zregister(&ZstdFilterClass()) < 0) return LibraryError(StatusCode::kIo, "zstd filter");
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  IndexImage image(static_cast<hsize_t>(data_begin));
  Handle file = image.Create(creation.get());
  if (!file.ok()) return LibraryError(StatusCode::kIo, "making an index");
  const std::vector<std::byte> nothing = NothingFor(places);
  for (size_t i = 0; i < tensors.size(); ++i) {
    NEMO_RETURN_IF_ERROR(EnterTensor(file.get(), tensors[i], places[i],
                                     checksums.at(tensors[i].spec.name), level, nothing));
  }
  if (!file.Reset()) return LibraryError(StatusCode::kIo, "making an index");
  return image.bytes();
}

Result<int64_t> SizeOfZstdIndex(const std::vector<SinkTensor>& tensors, int level) {
  constexpr int64_t kFarAway = int64_t{1} << 40;  // addresses have 8 bytes wherever they point
  std::vector<TensorPlace> places;
  std::map<std::string, std::string> checksums;
  int64_t end = kFarAway;
  for (const SinkTensor& tensor : tensors) {
    const int64_t chunks = CountChunks(tensor.spec);
    const int64_t size = chunks > 0 ? chunks : tensor.spec.size_bytes();
    places.push_back({end, size, {ChunkRows(tensor.spec), std::vector<int64_t>(chunks, 1), {}}});
    end += size;
    checksums[tensor.spec.name] = std::string(Declaration::kChecksumDigits, '0');
  }
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::byte> index,
                        MakeZstdIndex(tensors, places, checksums, level, kFarAway));
  return std::ssize(index);
}

}  // namespace nemo::hdf5
