// A part of a file whose CRC-32 is known, and proved before its bytes are handed out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libcore/base/file.h"

namespace nemo::torch {

/// Like SliceFile. The first ReadAt reads the whole range and compares its CRC-32 with `crc32`;
/// threads that come meanwhile wait. A first read of the whole range costs no second one.
/// kCorruption, from every ReadAt: the checksum is another.
std::shared_ptr<RandomAccessFile> CheckedSlice(std::shared_ptr<RandomAccessFile> file,
                                               int64_t offset_bytes, int64_t size_bytes,
                                               uint32_t crc32, std::string name);

}  // namespace nemo::torch
