// HDF5 files with one dataset per tensor, all in the root group, contiguous or in zstd chunks. The
// library writes and reads the index only; data go past it, because it converts bfloat16 at a few
// MB/s and rewrites NaN payloads. Facts: HDF5 File Format Specification 3.0, H5Dpublic.h. What we
// write: docs/formats/hdf5.md.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/status.h"
#include "libcore/tensor/placed_source.h"
#include "libcore/tensor/sink.h"

namespace nemo::hdf5 {

/// Opens the datasets of the root group as tensors. The library parses the index and was not made
/// for hostile files: check what is known of the bytes first (the native reader compares
/// metadata_xxh3). kNotFound, kIo. kCorruption: the library's reason, or datasets that were never
/// written, overlap or leave the file. kUnsupported: groups, links, chunks with other filters than
/// zstd (byte-shuffled or not) or without any, compact or external storage, types that are none of
/// ours (bool among them: HDF5 has none).
Result<std::shared_ptr<PlacedSource>> OpenFile(const std::string& path);

/// A file to be written at `path` (as `path`.partial until Finish). Each dataset's bytes begin at a
/// multiple of 4096. Refused: bool tensors, more than 32 axes, names that are empty, "." or have
/// '/'.
std::unique_ptr<TensorSink> CreateSink(const std::string& path);

/// The same with compressed tensors, one behind the other: shuffled zstd chunks of whole rows. In
/// order; the index, in front, is made at Finish. `level`: of formats/codec/zstd_frames.h. Refused
/// as well: rows larger than kMaxChunkBytes.
std::unique_ptr<TensorSink> CreateZstdSink(const std::string& path, int level);

}  // namespace nemo::hdf5
