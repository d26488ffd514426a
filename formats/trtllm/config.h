// config.json of a TensorRT-LLM checkpoint.
#pragma once

#include "libcore/base/value.h"
#include "libcore/layout/plan.h"

namespace nemo::trtllm {

/// Every field that the GPT class asks for, of a plan that PlanTrtLlm made.
Value ConfigValue(const Plan& plan);

}  // namespace nemo::trtllm
