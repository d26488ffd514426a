// The functions that NeMo and its launcher register with OmegaConf: ${multiply:4, ${.hidden_size}}.
#pragma once

#include <span>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// Calls resolver `name`. Integers stay integers as long as the result is one.
/// kUnsupported: no such resolver (lists those there are). kCorruption: arguments that do not fit.
Result<Value> CallArithmetic(std::string_view name, std::span<const Value* const> arguments);

}  // namespace nemo
