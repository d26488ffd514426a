// What nemo-validate prints: text for people, and the same as JSON.
#pragma once

#include <string>

#include "tools/nemo-validate/validate.h"

namespace nemo {

/// Everything found; of each kind at most `max_lines` lines (0: all).
std::string ToText(const Validation& validation, size_t max_lines);

/// {"ok", "level", "tensors", "different", "missing", "extra", "problems"}, and "logits" where the
/// models ran.
Value ToValue(const Validation& validation);

/// The same object for checks that could not be run.
Value FailureToValue(const ValidateOptions& options, const Status& status);

}  // namespace nemo
