// Where a report goes: stdout, --json-file, --html, and the answer of --min-fraction.
#pragma once

#include <string>

#include "libcore/base/status.h"
#include "tools/common/tool.h"
#include "tools/nemo-bench/report/record.h"

namespace nemo {

struct OutputOptions {
  std::string json_file;
  std::string html;
  std::string min_fraction;
};
FlagGroup OutputFlags(OutputOptions* options);
/// What exit 1 means with these flags.
inline constexpr const char* kFractionMissed = "a row missed its --min-fraction";

/// Reads --min-fraction, so that a mistake in it shows before anything is measured.
/// kInvalidArgument.
Status CheckOutput(const OutputOptions& options);

/// Writes and prints `report`; `extra` lines follow the table, not with --json. False: a fraction
/// was missed, which is said.
Result<bool> Deliver(const Report& report, const OutputOptions& options, const Console& console,
                     const std::string& extra = "");

}  // namespace nemo
