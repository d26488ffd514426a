// What nemo-validate does, apart from printing: one checkpoint by itself, or two against each
// other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/convert/check.h"
#include "tools/common/tool.h"
#include "tools/nemo-validate/logits.h"

namespace nemo {

struct ValidateOptions {
  std::string source;
  std::string other;  ///< empty: `source` by itself
  std::string level = "values";
  LogitsOptions logits;
};

/// kInvalidArgument: flags that do not go together.
Status CheckOptions(const ValidateOptions& options);

/// The answer and its grounds.
struct Validation {
  ValidateOptions options;
  std::string description;  ///< what was looked at, and to which degree
  int64_t num_tensors = 0;
  Comparison comparison;  ///< with `other`; empty without
  std::vector<Problem>
      problems;  ///< of each side by itself, and what the comparison found beside elements
  std::optional<LogitsCheck> logits;  ///< level logits, where the models could be run
  bool speaks = true;                 ///< false: in processes other than the first of a launch

  bool ok() const;
};

/// Runs the checks; of a launch of several processes the first looks at the files, and all run the
/// models. An error means that they could not be run: nothing was found at a path, or what was
/// found could not be opened and its format has no check that says more.
Result<Validation> Validate(const ValidateOptions& options, const Console& console);

}  // namespace nemo
