// A fixed set of worker threads for independent tasks.
#pragma once

#include <cstdint>
#include <functional>

#include "libcore/base/status.h"

namespace nemo {

/// Runs body(0) ... body(count - 1) on up to `num_threads` threads (the caller is one of them),
/// handing out indices in order. Stops handing out after the first error and returns the error of
/// the lowest index that failed, so that the message does not depend on timing. Never throws.
Status ParallelFor(int num_threads, int64_t count, const std::function<Status(int64_t)>& body);

/// Cores this process may use (affinity respected), at least 1.
int AvailableCores();

}  // namespace nemo
