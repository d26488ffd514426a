// A Nemotron whose LayerNorms have no biases.
#pragma once

#include <vector>

#include "libcore/model/config.h"
#include "libcore/model/logical_tensor.h"

namespace nemo {

Status CheckBare(const ModelConfig& config);
std::vector<LogicalTensor> BareTensors(const ModelConfig& config);

}  // namespace nemo
