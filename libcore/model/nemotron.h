// The Nemotron architecture's row of registry.cc.
#pragma once

#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/model/logical_tensor.h"

namespace nemo {

/// CheckConfig, and what this architecture cannot express. kCorruption, kUnsupported.
Status CheckNemotron(const ModelConfig& config);
std::vector<LogicalTensor> NemotronTensors(const ModelConfig& config);

}  // namespace nemo
