// Compression of a checkpoint's files, as flags and the manifest spell it.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

struct Compression {
  bool zstd = false;
  int level = 0;  ///< 1 to 19; 0: entropy coding only, the fastest
  bool operator==(const Compression&) const = default;
};

/// "none", "zstd", "zstd:9".
std::string ToString(const Compression& compression);
/// kInvalidArgument: none of these.
Result<Compression> ParseCompression(std::string_view text);

}  // namespace nemo
