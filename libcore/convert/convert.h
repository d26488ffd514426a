// Convert: runs a Plan. Reads each box once, hashes it while it is hot, writes it at its final
// offset.
#pragma once

#include <cstdint>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/convert/target.h"
#include "libcore/layout/plan.h"
#include "libcore/tensor/source.h"

namespace nemo {

struct ConvertOptions {
  int jobs = 1;                            ///< tensors in flight
  int64_t block_bytes = int64_t{8} << 20;  ///< buffer of each job: memory is jobs * block_bytes
};

struct ConvertReport {
  int64_t num_files = 0;
  int64_t num_tensors = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
};

/// Runs `plan` from `source` to `target` and finishes it; abandons it on error or when a stop was
/// asked for (kIo "stopped by signal N").
Result<ConvertReport> Convert(const TensorSource& source, const Plan& plan, Target& target,
                              const ConvertOptions& options, Progress& progress);

}  // namespace nemo
