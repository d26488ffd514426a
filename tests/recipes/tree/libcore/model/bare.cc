#include "libcore/model/bare.h"

#include "libcore/model/nemotron.h"

namespace nemo {

Status CheckBare(const ModelConfig& config) { return CheckNemotron(config); }

std::vector<LogicalTensor> BareTensors(const ModelConfig& config) {
  std::vector<LogicalTensor> tensors = NemotronTensors(config);
  std::erase_if(tensors, [](const LogicalTensor& tensor) {
    return tensor.name.ends_with("layer_norm_bias") || tensor.name.ends_with("layernorm.bias");
  });
  return tensors;
}

}  // namespace nemo
