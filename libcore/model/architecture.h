// Architecture: config -> list of logical tensors. One table per architecture, in its own file;
// registry.cc lists them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/model/logical_tensor.h"

namespace nemo {

struct Architecture {
  std::string_view name;
  /// kUnsupported / kCorruption: what of the config this architecture cannot express.
  Status (*check)(const ModelConfig&);
  /// In reading order: embedding, layers, final norm, output layer.
  std::vector<LogicalTensor> (*tensors)(const ModelConfig&);
};

std::span<const Architecture> Architectures();

/// The logical tensors of a checked config. kUnsupported: unknown architecture (lists the known).
Result<std::vector<LogicalTensor>> LogicalTensors(const ModelConfig& config);

}  // namespace nemo
