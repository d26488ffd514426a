// A model by its sizes alone: the files of configs/models, for tools that compute without weights.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/model/config.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// True for a path that names a model's sizes instead of a checkpoint.
bool IsModelYaml(std::string_view path);
/// Reads the fields of ModelConfig, by name; what is absent has its default. kNotFound,
/// kCorruption: an unknown field (names the nearest), CheckConfig.
Result<ModelConfig> LoadModelYaml(const std::string& path);
/// The canonical tensors of a model in BF16. kCorruption: they cannot be counted in bytes.
Result<std::vector<TensorSpec>> SpecsOfModel(const ModelConfig& config);

/// One YAML document of at most 1 MiB.
Result<Value> ReadYaml(const std::string& path);

}  // namespace nemo
