// Sizes that decode batches are padded to where a recorded step can be replayed.
#pragma once

#include <cstdint>

namespace nemo {

/// 1, 2, 4, then multiples of 8 up to 256; 0 for more.
inline int64_t PaddedBatch(int64_t size) {
  if (size > 256) return 0;
  if (size <= 2) return size;
  return size <= 4 ? 4 : (size + 7) / 8 * 8;
}

}  // namespace nemo
