// The layout flags, the same in every tool: --tp, --pp, --vpp, --pipeline-layout, --kv-duplicate.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "tools/common/flag.h"

namespace nemo {

/// What was given; 0 and empty: not given.
struct LayoutOptions {
  int64_t tp_size = 0;
  int64_t pp_size = 0;
  int64_t vpp_size = 0;
  std::vector<int64_t> layers_per_stage;
  bool kv_duplicate = false;
};

/// --tp, --pp, --pipeline-layout: what a tool that runs a model takes.
std::vector<Flag> RunLayoutFlags(LayoutOptions* options);
/// The above, --vpp and --kv-duplicate: what a tool that writes files takes.
std::vector<Flag> FileLayoutFlags(LayoutOptions* options);

/// The name of the first flag that was given, "pp"; empty: none was.
std::string_view GivenFlag(const LayoutOptions& options);

/// The layout that was asked for; what was not given is 1, and --pipeline-layout gives --pp.
/// kInvalidArgument: the flags contradict one another.
Result<ParallelLayout> LayoutFromOptions(const LayoutOptions& options);

}  // namespace nemo
