// What this machine can do at best: bandwidth over far more memory than the caches hold, and the
// fastest arithmetic on registers alone.
#pragma once

#include <cstdint>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "tools/nemo-bench/measure/roofline.h"

namespace nemo {

struct ProbeOptions {
  int threads = 1;
  int64_t buffer_bytes =
      0;  ///< of each of two buffers; 0: four last-level caches, within 256 MiB..1 GiB
  int64_t runs = 7;
};

/// Probes the host processor with `options.threads` threads. The buffers come from `backend`, which
/// must have host memory, so that they lie in the same kind of pages as its weights. kIo: out of
/// memory, stopped.
Result<Limits> ProbeHost(Backend& backend, const ProbeOptions& options);

}  // namespace nemo
