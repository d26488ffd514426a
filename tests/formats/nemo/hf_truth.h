// The same models as Hugging Face files: what every tensor of a .nemo is compared with.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "libcore/model/config.h"
#include "libcore/tensor/source.h"

namespace nemo::testing {

/// models/<model>/hf/model.safetensors of tests/golden or else of the shared fixtures.
std::shared_ptr<TensorSource> OpenHfModel(const std::string& model);

/// The bytes that canonical tensor `name` has according to `hf`; vocabulary tensors without their
/// padding.
std::vector<std::byte> TruthFor(const TensorSource& hf, const ModelConfig& config,
                                const std::string& name);

/// Every tensor of `source` begins with the bytes of `model`'s Hugging Face file and, but for
/// vocabulary tensors, ends with them; none is missing. Fails the running test otherwise.
void ExpectEqualsHfModel(const TensorSource& source, const ModelConfig& config,
                         const std::string& model);

}  // namespace nemo::testing
