// The task files of configs/eval, which the build puts into the executable.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nemo {

/// Name and YAML text of each suite.
std::vector<std::pair<std::string, std::string>> BuiltinSuites();
/// The same of the tables of published scores.
std::vector<std::pair<std::string, std::string>> BuiltinPublished();

}  // namespace nemo
