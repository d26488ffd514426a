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

/// A chunk as the library reports it.
struct Reported {
  std::vector<hsize_t> origin;
  unsigned skipped_filters = 0;
  haddr_t offset = HADDR_UNDEF;
  hsize_t size = 0;
};

/// Enters chunks into the grid.
class Grid {
 public:
  Grid(const TensorSpec& spec, Chunks& chunks)
      : grid_(GridOf(spec.shape, chunks.shape)), chunks_(chunks) {
    chunks_.places.resize(static_cast<size_t>(NumElements(grid_)));
  }

  Status Enter(const Reported& chunk) {
    if (chunk.skipped_filters != 0) return Unsupported("a chunk was stored without its filters");
    size_t number = 0;
    for (size_t axis = 0; axis < grid_.size(); ++axis) {
      const auto extent = static_cast<hsize_t>(chunks_.shape[axis]);
      const hsize_t index = chunk.origin[axis] / extent;
      if (chunk.origin[axis] % extent != 0 || index >= static_cast<hsize_t>(grid_[axis])) {
        return Corruption("a chunk that is not on its grid");
      }
      number = number * static_cast<size_t>(grid_[axis]) + static_cast<size_t>(index);
    }
    StoredChunk& place = chunks_.places[number];
    if (place.size_bytes != 0) return Corruption("a chunk that stands twice in its index");
    if (chunk.offset > INT64_MAX || chunk.size == 0 || chunk.size > INT64_MAX) {
      return Corruption("a chunk without a place");
    }
    place = {static_cast<int64_t>(chunk.offset), static_cast<int64_t>(chunk.size)};
    return OkStatus();
  }

 private:
  Shape grid_;
  Chunks& chunks_;
};

#if H5_VERSION_GE(1, 14, 0)

struct Collected {
  size_t rank;
  std::vector<Reported> chunks;
};

int Collect(const hsize_t* origin, unsigned skipped, haddr_t offset, hsize_t size, void* out) {
  auto& collected = *static_cast<Collected*>(out);
  collected.chunks.push_back({{origin, origin + collected.rank}, skipped, offset, size});
  return 0;
}

Result<std::vector<Reported>> ListChunks(hid_t dataset, size_t rank, hsize_t) {
  Collected collected{rank, {}};
  if (H5Dchunk_iter(dataset, H5P_DEFAULT, Collect, &collected) < 0) {
    return LibraryError(StatusCode::kCorruption, "listing its chunks");
  }
  return std::move(collected.chunks);
}

#else

/// Before 1.14 the library walks the index from its front for each chunk that is asked for.
constexpr hsize_t kMaxChunks = hsize_t{1} << 16;

Result<std::vector<Reported>> ListChunks(hid_t dataset, size_t rank, hsize_t count) {
  if (count > kMaxChunks) {
    return Unsupported(
        Format("{} chunks; with this version of the HDF5 library more than {} take "
               "too long to find",
               count, kMaxChunks));
  }
  const Handle space(H5Dget_space(dataset), H5Sclose);
  std::vector<Reported> chunks(count);
  for (hsize_t i = 0; i < count; ++i) {
    Reported& chunk = chunks[i];
    chunk.origin.resize(rank);
    if (H5Dget_chunk_info(dataset, space.get(), i, chunk.origin.data(), &chunk.skipped_filters,
                          &chunk.offset, &chunk.size) < 0) {
      return LibraryError(StatusCode::kCorruption, "listing its chunks");
    }
  }
  return chunks;
}

#endif

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

Result<Chunks> ReadChunkIndex(hid_t dataset, hid_t creation, const TensorSpec& spec) {
  Chunks chunks;
  NEMO_ASSIGN_OR_RETURN(chunks.decode, DecoderFor(creation, spec));
  NEMO_ASSIGN_OR_RETURN(chunks.shape, ChunkShape(creation, spec));
  const int64_t expected = NumElements(GridOf(spec.shape, chunks.shape));
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
  Grid grid(spec, chunks);
  NEMO_ASSIGN_OR_RETURN(const std::vector<Reported> listed,
                        ListChunks(dataset, spec.shape.size(), count));
  for (const Reported& chunk : listed) NEMO_RETURN_IF_ERROR(grid.Enter(chunk));
  return chunks;
}

}  // namespace nemo::hdf5
