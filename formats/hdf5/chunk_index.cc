#include "formats/hdf5/chunk_index.h"

#include <vector>

#include "formats/codec/zstd_frames.h"
#include "formats/hdf5/library.h"
#include "formats/hdf5/zstd_filter.h"
#include "libcore/base/format.h"

namespace nemo::hdf5 {
namespace {

Status DecodePlain(std::span<const std::byte> stored, int64_t, std::span<std::byte> out) {
  return zstd::Decompress(stored, out);
}

struct FilterStep {
  H5Z_filter_t id = 0;
  unsigned element_bytes = 0;  ///< of the shuffle filter
};

Result<std::vector<FilterStep>> Pipeline(hid_t creation) {
  const int count = H5Pget_nfilters(creation);
  if (count < 0) return LibraryError(StatusCode::kCorruption, "filters");
  std::vector<FilterStep> steps;
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, values[1] = {0};
    size_t num_values = 1;
    const H5Z_filter_t id = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &num_values,
                                           values, 0, nullptr, nullptr);
    if (id < 0) return LibraryError(StatusCode::kCorruption, "filters");
    steps.push_back({id, num_values > 0 ? values[0] : 0});
  }
  return steps;
}

/// How chunks are decoded. Shuffling bytes of other units than elements is none of ours.
Result<DecodeChunk> DecoderFor(hid_t creation, const TensorSpec& spec) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<FilterStep> steps, Pipeline(creation));
  if (steps.size() == 1 && steps[0].id == kZstdFilter) return DecodeChunk{DecodePlain};
  if (steps.size() == 2 && steps[0].id == H5Z_FILTER_SHUFFLE && steps[1].id == kZstdFilter &&
      steps[0].element_bytes == SizeOf(spec.dtype)) {
    return DecodeChunk{zstd::DecompressShuffled};
  }
  std::vector<int> ids;
  for (const FilterStep& step : steps) ids.push_back(step.id);
  return Unsupported(
      Format("its storage is not contiguous but chunked, with filters {}; known are [{}] (zstd) "
             "and [{}, {}] (byte-shuffled); `h5repack -l CONTI -f NONE` makes it contiguous",
             FormatList(ids), kZstdFilter, H5Z_FILTER_SHUFFLE, kZstdFilter));
}

Result<Shape> ChunkShape(hid_t creation, const TensorSpec& spec) {
  std::vector<hsize_t> shape(spec.shape.size());
  const int rank = static_cast<int>(shape.size());
  if (H5Pget_chunk(creation, rank, shape.data()) != rank) {
    return LibraryError(StatusCode::kCorruption, "the shape of its chunks");
  }
  for (const hsize_t extent : shape) {
    if (extent == 0 || extent > UINT32_MAX) return Corruption("chunks of an impossible shape");
  }
  return Shape(shape.begin(), shape.end());
}

}  // namespace

Result<Chunks> ReadChunkIndex(const IndexReader& reader, hid_t dataset, hid_t creation,
                              const TensorSpec& spec) {
  Chunks chunks;
  NEMO_ASSIGN_OR_RETURN(chunks.decode, DecoderFor(creation, spec));
  NEMO_ASSIGN_OR_RETURN(chunks.shape, ChunkShape(creation, spec));
  const Shape grid = GridOf(spec.shape, chunks.shape);
  const int64_t expected = NumElements(grid);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  hsize_t count = 0;
  if (H5Dget_num_chunks(dataset, space.get(), &count) < 0) {
    return LibraryError(StatusCode::kCorruption, "counting its chunks");
  }
  // Counted before anything is allocated: a shape is easily claimed, chunks have to be there.
  if (count != static_cast<hsize_t>(expected)) {
    return Corruption(
        Format("it has {} chunks, its shape needs {}: some were never written", count, expected));
  }
  for (int64_t i = 0; i < expected; ++i) {
    const std::vector<int64_t> index = IndexOf(grid, i);
    std::vector<hsize_t> origin;
    for (size_t axis = 0; axis < index.size(); ++axis) {
      origin.push_back(static_cast<hsize_t>(index[axis] * chunks.shape[axis]));
    }
    uint32_t skipped_filters = 0;
    std::byte nothing;  // the reader reads no data
    if (H5Dread_chunk(dataset, H5P_DEFAULT, origin.data(), &skipped_filters, &nothing) < 0) {
      return LibraryError(StatusCode::kCorruption, Format("chunk {}", i));
    }
    if (skipped_filters != 0) {
      return Unsupported(Format("chunk {} was stored without its filters", i));
    }
    chunks.places.push_back(reader.last_data());
  }
  return chunks;
}

}  // namespace nemo::hdf5
