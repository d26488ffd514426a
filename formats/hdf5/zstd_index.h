// The index of a compressed HDF5 file: chunked datasets whose chunks lie one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"

namespace nemo::hdf5 {

/// Rows of each chunk: about 1 MiB, spread evenly, so that little of the last one is filling. 0:
/// stored as it is (scalars, tensors without elements), which HDF5 cannot cut into chunks.
int64_t ChunkRows(const TensorSpec& spec);
/// Chunks of the tensor; 0 where ChunkRows is.
int64_t CountChunks(const TensorSpec& spec);

/// What the file begins with. Its size depends on `tensors` only. `places`: parallel to `tensors`,
/// one behind the other in this order from `data_begin` on. `checksums`: by name. `level` is noted
/// for those who ask; 0: none. kInvalidArgument: tensors that HDF5 cannot hold.
Result<std::vector<std::byte>> MakeZstdIndex(const std::vector<SinkTensor>& tensors,
                                             const std::vector<TensorPlace>& places,
                                             const std::map<std::string, std::string>& checksums,
                                             int level, int64_t data_begin);
/// The size of what MakeZstdIndex will give, before any place is known. Its errors.
Result<int64_t> SizeOfZstdIndex(const std::vector<SinkTensor>& tensors, int level);

}  // namespace nemo::hdf5
