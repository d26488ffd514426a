// Files out of the page cache, and the proof of it.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/status.h"

namespace nemo {

struct CacheState {
  int64_t file_bytes = 0;
  int64_t resident_bytes = 0;
};

/// Asks the system to drop the pages of the file `path`, or of every file below it, and says how
/// many stayed. kNotFound, kIo.
Result<CacheState> DropFromPageCache(const std::string& path);

}  // namespace nemo
