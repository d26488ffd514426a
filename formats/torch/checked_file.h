// A part of a file whose CRC-32 is known, and which is checked while it is read, each byte once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libcore/base/file.h"

namespace nemo::torch {

/// Files up to this size are proved before their first byte is handed out.
constexpr int64_t kProvedFirstBytes = int64_t{1} << 20;

/// Like SliceFile, and compares the bytes with `crc32` without reading any of them a second time.
///
/// Up to kProvedFirstBytes the first ReadAt reads the whole range and proves it; threads that come
/// meanwhile wait. Where it wanted less than the whole, the rest stays in memory until every byte
/// has been handed out once.
///
/// Beyond that bytes are handed out as they come, in any order and to any thread, and summed up.
/// The ReadAt that hands out the last byte of the range proves it. Until then nothing is known:
/// whoever read only a part must call ProveReads before the bytes count; it reads what is missing.
///
/// kCorruption, from that ReadAt, from ProveReads and from every one after it: the checksum is
/// another.
std::shared_ptr<RandomAccessFile> CheckedSlice(std::shared_ptr<RandomAccessFile> file,
                                               int64_t offset_bytes, int64_t size_bytes,
                                               uint32_t crc32, std::string name);

}  // namespace nemo::torch
