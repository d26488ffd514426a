// What ranks tell each other before they agree on a way between their devices.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"

namespace nemo::cuda {

/// Every rank's part in the group: plain bytes.
template <typename T>
Result<std::vector<T>> GatherFrom(Communicator& group, const T& mine) {
  std::vector<T> all(static_cast<size_t>(group.size()));
  NEMO_RETURN_IF_ERROR(
      group.AllGather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all))));
  return all;
}

/// Whether all ranks could do what this one could or could not.
inline Result<bool> AllCould(Communicator& group, const Status& mine) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<uint8_t> all,
                        GatherFrom(group, static_cast<uint8_t>(mine.ok() ? 1 : 0)));
  return std::all_of(all.begin(), all.end(), [](uint8_t ok) { return ok != 0; });
}

}  // namespace nemo::cuda
