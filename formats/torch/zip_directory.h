// The central directory of a zip archive: which entries there are and where.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo::torch {

struct ZipEntry {
  std::string name;
  int64_t header_bytes = 0;  ///< where its local header begins
  int64_t offset_bytes = 0;  ///< where its data begins
  int64_t size_bytes = 0;
  uint32_t crc32 = 0;
};

/// Every entry but folders, sorted by name; no two share a name or bytes, and all lie inside the
/// file. Errors as in OpenZip, without the file's name.
Result<std::vector<ZipEntry>> ReadZipDirectory(const RandomAccessFile& file);

}  // namespace nemo::torch
