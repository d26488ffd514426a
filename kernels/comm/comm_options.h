// What all communicators are told when they are made.
#pragma once

#include <cstdint>

namespace nemo {

struct CommOptions {
  /// How long one operation may wait for its peers before the world is aborted.
  int64_t deadline_ms = 600'000;
};

}  // namespace nemo
