// Numbers that a text spells in English words, as a filter of lm-evaluation-harness' BBH finds
// them.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo::eval {

/// The first (or last) number in lower-case `text` that is spelt in words, in digits: "one hundred
/// and five" is "105". Empty when there is none. Errors as Regex::FindAll.
Result<std::string> NumberInWords(std::string_view text, bool last);

}  // namespace nemo::eval
