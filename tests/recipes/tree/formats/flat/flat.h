// A checkpoint in two files: model.yaml (the fields of ModelConfig), and all.safetensors under
// canonical names.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/format.h"

namespace nemo {

bool SniffFlat(const std::string& path);
Result<Checkpoint> OpenFlat(const std::string& path);
Result<Plan> PlanFlat(const ModelConfig& config, std::span<const TensorSpec> source,
                      const PlanOptions& options);
Result<std::unique_ptr<Target>> CreateFlatTarget(const std::string& path,
                                                 const TargetOptions& options);

}  // namespace nemo
