// An evaluation as one HTML page that needs nothing but itself: scores with their errors beside
// published ones, the members of each group, and the samples to look into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/nemo-eval/report/samples.h"

namespace nemo {

/// Bytes of samples that a page carries unless told otherwise; browsers open it without delay.
inline constexpr int64_t kMaxPageSampleBytes = int64_t{8} << 20;

/// `results`: the contents of a results.json. Follows the reader's choice of light or dark.
std::string EvalPage(const Value& results, const std::vector<TaskSamples>& samples,
                     int64_t max_sample_bytes = kMaxPageSampleBytes);

/// Reads results.json and samples_TASK.jsonl of `directory` (lm-evaluation-harness' own names with
/// times in them are not looked for) and writes report.html there. kNotFound, kCorruption, kIo.
Status WriteEvalPage(const std::string& directory);

}  // namespace nemo
