// Where the chunks of a compressed dataset lie.
#pragma once

#include <hdf5.h>

#include "formats/hdf5/index_reader.h"
#include "libcore/base/status.h"
#include "libcore/tensor/chunks.h"
#include "libcore/tensor/spec.h"

namespace nemo::hdf5 {

/// Asks the library for every chunk of `dataset`, which has elements, is chunked, was made with
/// `creation` and opened by `reader`. Needs the LibraryLock. kUnsupported: a pipeline that is not
/// zstd, byte-shuffled or not. kCorruption: missing chunks.
Result<Chunks> ReadChunkIndex(const IndexReader& reader, hid_t dataset, hid_t creation,
                              const TensorSpec& spec);

}  // namespace nemo::hdf5
