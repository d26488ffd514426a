// Datasets as both sinks make them: a tensor's type, shape and attributes. Every function needs the
// LibraryLock.
#pragma once

#include <cstdint>
#include <string>

#include <hdf5.h>

#include "formats/hdf5/library.h"
#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"

namespace nemo::hdf5 {

inline constexpr const char* kChecksumAttribute = "xxh3";

/// kInvalidArgument: a name or a rank that HDF5 does not have.
Status CheckExpressible(const TensorSpec& spec);

/// A fixed-length text, so that it can be replaced in place.
Handle TextType(size_t size);

/// Dataset creation properties without fill values and time stamps: the same declaration gives the
/// same bytes.
Handle DatasetCreation(H5D_layout_t layout, H5D_alloc_time_t allocation);

/// A dataset with its attributes, `checksum` among them; its data have no place yet.
Result<Handle> CreateDataset(hid_t file, hid_t creation, const SinkTensor& tensor,
                             const std::string& checksum);

/// Makes the library choose the place of a contiguous dataset's data: it does so when the first
/// element is written. A dataset without elements has no place: 0.
Result<int64_t> PlaceContiguous(hid_t file, const TensorSpec& spec);

}  // namespace nemo::hdf5
