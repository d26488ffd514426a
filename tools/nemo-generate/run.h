// One run of nemo-generate on all ranks: threads of this process, or the processes of mpirun or
// srun.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/request.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/job.h"

namespace nemo {

/// What came out, and how it was made. `results` have the order of the prompts.
struct Answer {
  std::vector<GenerateResult> results;
  uint64_t seed = 0;
  std::string layout;   ///< "TP2 x PP2"
  std::string backend;  ///< "cpu (avx512)"
  double load_seconds = 0;
  double generate_seconds = 0;
  bool streamed = false;  ///< the sentences have been printed
};

/// Runs the job. The answer is rank 0's; other processes get an empty one, and in case of an error
/// an empty message, because rank 0 tells it. kInvalidArgument: the layout does not fit the model,
/// or has not as many ranks as there are processes; a prompt that does not fit the context. Errors
/// of files, devices and peers as those give them.
Result<Answer> RunJob(const GenerateJob& job, const Console& console);

}  // namespace nemo
