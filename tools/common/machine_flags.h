// The flags of a tool that runs a model: layout, backend, steps, peers.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/comm/comm_options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "tools/common/flag.h"
#include "tools/common/layout_flags.h"

namespace nemo {

/// Where and how a model runs; what it answers does not depend on it, docs/runtime.md says how far.
struct MachineOptions {
  LayoutOptions layout;
  /// Replicas: copies of the model that share the work. 0: as many as there are processes for, and
  /// one where ranks are threads.
  int64_t data_parallel_size = 1;
  std::string backend;
  std::string isa = "auto";
  bool deterministic = false;
  std::string dtype_profile = "megatron";
  int64_t prefill_chunk = 0;
  std::string prefix_cache = "on";
  int64_t max_batch_size = 8;
  CommOptions comm;

  DTypeProfile profile() const;
};

/// Sets the default backend in `options`. Layout, backend, rounding, peers: of a tool that feeds
/// one sequence after the other.
FlagGroup PlainMachineFlags(MachineOptions* options);
/// And how steps are made of many.
FlagGroup MachineFlags(MachineOptions* options);
/// The same of a tool whose work replicas can share: --dp too.
FlagGroup ReplicatedMachineFlags(MachineOptions* options);

/// kInvalidArgument: the backend does not have the dtype profile.
Status CheckMachine(const MachineOptions& options);

}  // namespace nemo
