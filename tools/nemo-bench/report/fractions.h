// --min-fraction FILE: how much of its limit each row has to reach.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "tools/nemo-bench/report/record.h"

namespace nemo {

/// Rows whose name matches `pattern` (a shell pattern) must reach `fraction`.
struct FractionRule {
  std::string pattern;
  double fraction = 0;
};

/// A YAML mapping of patterns to fractions from 0 to 1, such as `linear/*/m1: 0.85`. kCorruption.
Result<std::vector<FractionRule>> ParseFractions(std::string_view yaml);

/// A row and the last rule that matches it.
struct FractionCheck {
  std::string name;
  double wanted = 0;
  std::optional<double> got;  ///< nullopt: the row has none, which is a miss
  bool ok() const { return got && *got >= wanted; }
};

/// One per row that a rule matches. `unused`, if given: the patterns that no row matches.
std::vector<FractionCheck> CheckFractions(const std::vector<FractionRule>& rules,
                                          const std::vector<Record>& records,
                                          std::vector<std::string>* unused);

}  // namespace nemo
