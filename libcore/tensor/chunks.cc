#include "libcore/tensor/chunks.h"

#include <algorithm>
#include <numeric>

#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo {
namespace {

/// What a codec may add to bytes that it cannot shorten.
int64_t MaxStoredBytes(int64_t chunk_bytes) { return chunk_bytes + chunk_bytes / 8 + 4096; }

/// The chunks that `box` meets, in units of chunks.
Box MetBy(const Box& box, const Shape& chunk_shape) {
  Box met = box;
  for (size_t axis = 0; axis < chunk_shape.size(); ++axis) {
    const int64_t chunk = chunk_shape[axis];
    met.offset[axis] = box.offset[axis] / chunk;
    met.extent[axis] = (box.offset[axis] + box.extent[axis] - 1) / chunk - met.offset[axis] + 1;
  }
  return met;
}

/// Reads chunk after chunk of one tensor.
class ChunkReader {
 public:
  using ReadAt = std::function<Status(int64_t, std::span<std::byte>)>;
  ChunkReader(const ReadAt& read_at, const TensorSpec& spec, const Chunks& chunks)
      : read_at_(read_at), chunks_(chunks), item_size_(SizeOf(spec.dtype)) {
    chunk_bytes_ = NumElements(chunks.shape) * item_size_;
  }

  /// Moves what the chunk that begins at element `origin` holds of `box` to its place in `out`.
  Status Read(const StoredChunk& chunk, const std::vector<int64_t>& origin, const Box& box,
              std::span<std::byte> out) {
    const Box chunk_box{origin, chunks_.shape};
    const auto part = Intersect(chunk_box, box);
    NEMO_CHECK(part.has_value());
    const Box in_out = RelativeTo(*part, box.offset);
    stored_.resize(static_cast<size_t>(chunk.size_bytes));
    NEMO_RETURN_IF_ERROR(read_at_(chunk.offset_bytes, stored_));
    if (part->extent == chunks_.shape && IsOneRun(in_out, box)) {
      const int64_t row_bytes = NumElements(box) / box.extent[0] * item_size_;
      return chunks_.decode(stored_, item_size_,
                            out.subspan(static_cast<size_t>(in_out.offset[0] * row_bytes),
                                        static_cast<size_t>(chunk_bytes_)));
    }
    decoded_.resize(static_cast<size_t>(chunk_bytes_));
    NEMO_RETURN_IF_ERROR(chunks_.decode(stored_, item_size_, decoded_));
    CopyBox(decoded_.data(), chunks_.shape, RelativeTo(*part, origin), out.data(), box.extent,
            in_out, item_size_);
    return OkStatus();
  }

 private:
  /// True when `part` is whole rows of `box`.
  static bool IsOneRun(const Box& part, const Box& box) {
    return std::equal(part.extent.begin() + 1, part.extent.end(), box.extent.begin() + 1);
  }

  const ReadAt& read_at_;
  const Chunks& chunks_;
  int64_t item_size_;
  int64_t chunk_bytes_ = 0;
  std::vector<std::byte> stored_, decoded_;
};

}  // namespace

Chunks RowChunks(const Shape& shape, const TensorPlace& place, DecodeChunk decode) {
  Chunks chunks;
  if (place.chunks.empty()) return chunks;
  chunks.shape = shape;
  chunks.shape[0] = place.chunks.rows;
  chunks.decode = decode;
  int64_t offset = place.offset_bytes;
  for (const int64_t size : place.chunks.bytes) {
    chunks.places.push_back({offset, size});
    offset += size;
  }
  return chunks;
}

Result<TensorPlace> PlaceOfChunks(const Shape& shape, const Chunks& chunks) {
  if (!std::equal(shape.begin() + 1, shape.end(), chunks.shape.begin() + 1)) {
    return Unsupported(Format("its chunks of {} are no whole rows of {}", FormatList(chunks.shape),
                              FormatList(shape)));
  }
  if (chunks.places.empty()) return TensorPlace{};
  TensorPlace place{chunks.places.front().offset_bytes, 0, {chunks.shape[0], {}, {}}};
  for (const StoredChunk& chunk : chunks.places) {
    if (chunk.offset_bytes != place.offset_bytes + place.size_bytes) {
      return Unsupported("its chunks do not lie one behind the other");
    }
    place.size_bytes += chunk.size_bytes;
    place.chunks.bytes.push_back(chunk.size_bytes);
  }
  return place;
}

Shape GridOf(const Shape& shape, const Shape& chunk_shape) {
  NEMO_CHECK(shape.size() == chunk_shape.size());
  Shape grid;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    grid.push_back(shape[axis] / chunk_shape[axis] + (shape[axis] % chunk_shape[axis] != 0));
  }
  return grid;
}

Status CheckChunks(const TensorSpec& spec, const Chunks& chunks) {
  const bool sound = chunks.shape.size() == spec.shape.size() &&
                     std::all_of(chunks.shape.begin(), chunks.shape.end(),
                                 [](int64_t extent) { return extent > 0; });
  if (!sound) {
    return Corruption(Format("tensor {}: chunks of {} do not suit its shape {}", spec.name,
                             FormatList(chunks.shape), FormatList(spec.shape)));
  }
  const auto elements = CheckedNumElements(chunks.shape);
  if (!elements || *elements > kMaxChunkBytes / SizeOf(spec.dtype)) {
    return Unsupported(Format("tensor {}: chunks of {} are larger than {}", spec.name,
                              FormatList(chunks.shape), FormatBytes(kMaxChunkBytes)));
  }
  const int64_t count = NumElements(GridOf(spec.shape, chunks.shape));
  if (count != std::ssize(chunks.places)) {
    return Corruption(Format("tensor {}: {} chunks, its shape {} in chunks of {} needs {}",
                             spec.name, chunks.places.size(), FormatList(spec.shape),
                             FormatList(chunks.shape), count));
  }
  const int64_t chunk_bytes = *elements * SizeOf(spec.dtype);
  for (const StoredChunk& chunk : chunks.places) {
    if (chunk.size_bytes > 0 && chunk.size_bytes <= MaxStoredBytes(chunk_bytes)) continue;
    return Corruption(Format("tensor {}: a chunk of {} bytes is stored in {}", spec.name,
                             chunk_bytes, chunk.size_bytes));
  }
  return OkStatus();
}

Status ReadChunks(const std::function<Status(int64_t, std::span<std::byte>)>& read_at,
                  const TensorSpec& spec, const Chunks& chunks, const Box& box,
                  std::span<std::byte> out) {
  if (NumElements(box) == 0) return OkStatus();
  const Shape grid = GridOf(spec.shape, chunks.shape);
  const Box met = MetBy(box, chunks.shape);
  const int64_t count = NumElements(met);
  ChunkReader reader(read_at, spec, chunks);
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int64_t> index = IndexOf(met.extent, i);
    int64_t number = 0;
    for (size_t axis = 0; axis < index.size(); ++axis) {
      index[axis] += met.offset[axis];
      number = number * grid[axis] + index[axis];
      index[axis] *= chunks.shape[axis];
    }
    const StoredChunk& chunk = chunks.places[static_cast<size_t>(number)];
    NEMO_RETURN_IF_ERROR(
        reader.Read(chunk, index, box, out).At(Format("tensor {}: chunk {}", spec.name, number)));
  }
  return OkStatus();
}

}  // namespace nemo
