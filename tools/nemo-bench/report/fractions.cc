#include "tools/nemo-bench/report/fractions.h"

#include <fnmatch.h>
#include <set>

#include "libcore/base/format.h"
#include "libcore/base/yaml.h"

namespace nemo {

Result<std::vector<FractionRule>> ParseFractions(std::string_view yaml) {
  NEMO_ASSIGN_OR_RETURN(const Value value, ParseYaml(yaml));
  if (!value.is_object() || value.as_object().empty()) {
    return Corruption(Format("a mapping of row names to fractions is wanted, not a {}",
                             value.is_object() ? "mapping without keys" : value.type_name()));
  }
  std::vector<FractionRule> rules;
  for (const auto& [pattern, fraction] : value.as_object()) {
    if (!fraction.is_number() || !(fraction.as_double() >= 0 && fraction.as_double() <= 1)) {
      return Corruption(Format("key '{}': a fraction from 0 to 1 is wanted", pattern));
    }
    rules.push_back({pattern, fraction.as_double()});
  }
  return rules;
}

std::vector<FractionCheck> CheckFractions(const std::vector<FractionRule>& rules,
                                          const std::vector<Record>& records,
                                          std::vector<std::string>* unused) {
  std::vector<FractionCheck> checks;
  std::set<std::string> used;
  for (const Record& record : records) {
    const FractionRule* found = nullptr;
    for (const FractionRule& rule : rules) {
      if (fnmatch(rule.pattern.c_str(), record.name.c_str(), 0) != 0) continue;
      found = &rule;
      used.insert(rule.pattern);
    }
    if (found != nullptr) checks.push_back({record.name, found->fraction, record.fraction});
  }
  if (unused != nullptr) {
    for (const FractionRule& rule : rules) {
      if (!used.contains(rule.pattern)) unused->push_back(rule.pattern);
    }
  }
  return checks;
}

}  // namespace nemo
