// A file compressed by the zstd tool, whole: data sets come so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo::zstd {

/// The text of one frame or several in a row, whether or not they say how much they hold.
/// kCorruption: not zstd, truncated, a wrong checksum, or more than `max_bytes`: sizes are input.
Result<std::string> DecompressFile(std::string_view compressed, int64_t max_bytes);

}  // namespace nemo::zstd
