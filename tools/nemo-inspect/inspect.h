// What nemo-inspect knows of a checkpoint, and how it is shown.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/convert/stats.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-inspect/capacity.h"

namespace nemo {

struct InspectOptions {
  std::string source;
  std::string tensors;  ///< a shell pattern; empty: all
  bool stats = false;
  CapacityOptions capacity;
};

struct Inspection {
  Checkpoint checkpoint;
  TensorTotals totals;                     ///< of the whole checkpoint
  std::vector<TensorSpec> tensors;         ///< those asked for
  std::vector<TensorStats> stats;          ///< parallel to `tensors`, or empty
  std::vector<LayoutCapacity> capacities;  ///< with --plan
};

/// Opens SRC; reads values with --stats only. kInvalidArgument: no tensor matches.
Result<Inspection> Inspect(const InspectOptions& options, const Console& console);

/// {"format", "layout", "model", "tokenizer", "tensors", "parameters", "bytes"}, and "plan" where
/// it was asked for.
Result<Value> ToValue(const Inspection& inspection);
Result<std::string> ToText(const InspectOptions& options, const Inspection& inspection);

}  // namespace nemo
