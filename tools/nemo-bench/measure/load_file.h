// A file's bytes on their way into a backend's memory, as weights go there: several threads read,
// and what one has read goes up while the others still do.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/aligned_buffer.h"
#include "libcore/base/direct_io.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Reads `num_blocks` blocks of `block_bytes` of `file`, one buffer for each of the threads, and
/// uploads them in their order to `memory`, again from its begin where it is smaller than the file;
/// it has room for whole blocks. Returns when all bytes are there.
Status LoadFile(const DirectIo& file, int64_t num_blocks, int64_t block_bytes,
                std::vector<AlignedBuffer>& buffers, Backend& backend, Buffer& memory);

}  // namespace nemo
