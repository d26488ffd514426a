// JSON <-> Value. The door of nlohmann-json.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

/// Parses one JSON document. kCorruption: not JSON, duplicate keys, nesting above 200, text not
/// UTF-8. Integers beyond int64 become doubles.
Result<Value> ParseJson(std::string_view text);

/// `indent` < 0: one line. Non-finite numbers become null; invalid UTF-8 becomes U+FFFD.
std::string ToJson(const Value& value, int indent = -1);

/// One line in which whatever is not ASCII is \uXXXX, as Python's json module and Flask spell it.
std::string ToAsciiJson(const Value& value);

/// Appends one number as Python spells it: the fewest digits that read back as the same double,
/// "1.0", "1e-05", null when not finite. For rows too long to be a Value first.
void AppendJsonNumber(double number, std::string* out);

}  // namespace nemo
