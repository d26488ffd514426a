// Capacity: which layouts of a model fit a number of devices, and what is left for the KV cache.
// The arithmetic before a job is queued; nothing is opened or allocated.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

/// The devices of a job, all alike.
struct Devices {
  int64_t count = 1;
  int64_t memory_bytes = 0;          ///< of one
  double bandwidth_bytes_per_s = 0;  ///< of one's memory
  int64_t per_node = 8;              ///< tensor ranks stay inside a node
};

/// Of a device's memory, what weights and KV cache may take; the rest is for activations,
/// communication buffers and the driver.
inline constexpr double kUsableMemory = 0.95;

struct LayoutCapacity {
  ParallelLayout layout;
  int64_t weight_bytes = 0;        ///< of the fullest rank, BF16
  int64_t kv_bytes_per_token = 0;  ///< of the fullest rank
  int64_t kv_tokens = 0;           ///< room beside the weights; 0 when they do not fit
  /// Time to read every weight of a token's path once, stage after stage: the least a token can
  /// take at batch 1. The embedding is a look-up and does not count.
  double roofline_ms_per_token = 0;
  bool fits() const { return kv_tokens > 0; }
};

/// Every legal TP x PP that uses all devices (even stages), TP ascending.
/// kInvalidArgument: devices that make no sense. Other errors: those of LogicalTensors.
Result<std::vector<LayoutCapacity>> LayoutCapacities(const ModelConfig& config,
                                                     const Devices& devices);

}  // namespace nemo
