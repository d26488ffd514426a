// What a .zarray file says. The inside of zarr.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/dtype.h"

namespace nemo::zarr {

struct ArrayMetadata {
  DType dtype = DType::kBF16;
  Shape shape;
  Shape chunk_shape;     ///< of every chunk file; those at the far edges are padded to it
  Shape grid;            ///< chunks per axis
  char separator = '.';  ///< between the indices in a chunk's file name

  int64_t chunk_bytes() const { return NumElements(chunk_shape) * SizeOf(dtype); }
  /// "3.0.1"; "0" for a scalar.
  std::string ChunkName(const std::vector<int64_t>& chunk_index) const;
  /// The part of the array that chunk holds, padding left out.
  Box BoxOf(const std::vector<int64_t>& chunk_index) const;
};

/// The text of a .zarray, byte for byte as zarr and Megatron Core leave it: no compressor, no
/// filters, no fill value. `array` has chunks that divide its shape or are padded, and the
/// separator '.'.
std::string ArrayMetadataText(const ArrayMetadata& array);

/// Parses the text of a .zarray. All products of extents in the result fit 64 bits.
Result<ArrayMetadata> ParseArrayMetadata(std::string_view json_text);

}  // namespace nemo::zarr
