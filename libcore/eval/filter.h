// Filters: from the text that a model wrote to the answer in it, as lm-evaluation-harness takes it
// out. `[invalid]` stands for no answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/eval/regex.h"

namespace nemo::eval {

inline constexpr std::string_view kNoAnswer = "[invalid]";

/// What one step of a filter needs; which of it, its row of the table says.
struct FilterStep {
  std::string kind;
  std::vector<Regex> patterns;      ///< of regex and number, the first; of map, all
  std::vector<std::string> values;  ///< of map: what a match of each pattern means
  Regex any;                        ///< of map: any of the patterns
  bool last = false;                ///< the last match counts, not the first
  bool ignore_case = false;
  bool ignore_punctuation = false;
};

/// Immutable and thread-safe.
class Filter {
 public:
  /// From YAML: {name, take: first|last, steps: [{KIND: {...}} or KIND, ...]}. kInvalidArgument.
  static Result<Filter> Parse(const Value& spec);
  /// The filter that changes nothing, `none`.
  static Filter None();

  const std::string& name() const { return name_; }
  /// The answer in `response`; `doc` is the row that was asked about. kInvalidArgument: a pattern
  /// that needs too many steps, or a row without what a step looks for in it.
  Result<std::string> Apply(std::string_view response, const Value& doc) const;

 private:
  std::string name_;
  std::vector<FilterStep> steps_;
};

}  // namespace nemo::eval
