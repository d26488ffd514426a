// YAML -> Value. The door of yaml-cpp.
#pragma once

#include <string_view>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// Parses one YAML document with YAML 1.1 core types (null, true/false/yes/no, integers, floats,
/// text) as PyYAML reads them. Quoted scalars are always text. kCorruption: not YAML, duplicate
/// keys, nesting above 100, longer than 1 MiB; once aliases are followed (bombs), more than
/// 1,000,000 nodes, or 64 KiB and 64 times the text.
Result<Value> ParseYaml(std::string_view text);

}  // namespace nemo
