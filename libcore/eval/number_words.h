// Numbers that a text spells in English words.
#pragma once

#include <string>
#include <string_view>

namespace nemo::eval {

/// The first (or last) number in lower-case `text` that is spelt in words, in digits: "one hundred
/// and five" is "105". Empty when there is none.
std::string NumberInWords(std::string_view text, bool last);

}  // namespace nemo::eval
