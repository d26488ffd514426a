// The zstd filter of HDF5 (registered id 32015) on our codec: what the library needs to accept the
// id in a pipeline, and what libh5nemo_zstd.so exports.
#pragma once

#include <hdf5.h>

namespace nemo::hdf5 {

inline constexpr H5Z_filter_t kZstdFilter = 32015;

/// The filter's row for H5Zregister or a plugin. Its one optional parameter is the level.
const H5Z_class2_t& ZstdFilterClass();

}  // namespace nemo::hdf5
