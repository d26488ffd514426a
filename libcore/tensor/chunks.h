// Tensors cut into chunks that a codec made smaller: where the chunks lie, and reading boxes out of
// them. The codec itself comes from whoever knows the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// Fills all of `out` with the elements, of `item_size` bytes, that `stored` holds. kCorruption:
/// it does not hold exactly that. Thread-safe.
using DecodeChunk = Status (*)(std::span<const std::byte> stored, int64_t item_size,
                               std::span<std::byte> out);

struct StoredChunk {
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
};

/// A regular grid of chunks over a tensor. All chunks hold `shape` elements, also those that reach
/// beyond the tensor's far edges.
struct Chunks {
  Shape shape;                      ///< empty: the tensor is dense, nothing else counts
  std::vector<StoredChunk> places;  ///< row-major over the grid
  DecodeChunk decode = nullptr;

  bool empty() const { return shape.empty(); }
};

/// Chunks of whole rows that lie one behind the other, as `place` says; none where it is dense.
Chunks RowChunks(const Shape& shape, const TensorPlace& place, DecodeChunk decode);
/// The inverse. kUnsupported: the chunks are no such thing.
Result<TensorPlace> PlaceOfChunks(const Shape& shape, const Chunks& chunks);

/// Extents of the grid: chunks along each axis.
Shape GridOf(const Shape& shape, const Shape& chunk_shape);

/// Chunks have to be decoded as a whole: larger ones are refused.
inline constexpr int64_t kMaxChunkBytes = int64_t{256} << 20;

/// The grid suits the tensor, and no chunk needs much more memory or room than elements could.
/// kCorruption, kUnsupported: chunks larger than
/// kMaxChunkBytes.
Status CheckChunks(const TensorSpec& spec, const Chunks& chunks);

/// Reads `box` of the checked tensor: decodes the chunks that it meets, one after the other, on
/// this thread. `read_at` fills its buffer from a byte of the file on.
Status ReadChunks(const std::function<Status(int64_t, std::span<std::byte>)>& read_at,
                  const TensorSpec& spec, const Chunks& chunks, const Box& box,
                  std::span<std::byte> out);

}  // namespace nemo
