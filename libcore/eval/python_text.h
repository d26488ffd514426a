// What Python's str does with text, where lm-evaluation-harness leans on it: its notion of blanks,
// characters and letter case. Texts are UTF-8, characters are code points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nemo::eval {

/// The text without the blanks (Python's: Unicode's and \x1c to \x1f) around it, or behind it.
std::string_view Strip(std::string_view text);
std::string_view StripRight(std::string_view text);
/// Parts between runs of blanks; none is empty.
std::vector<std::string_view> SplitBlanks(std::string_view text);

/// Every character in its simple lower case (those that become several characters stay one).
std::string Lower(std::string_view text);
/// The first character in upper case, the rest in lower case.
std::string Capitalize(std::string_view text);

/// The text without its first `count` characters; nothing when there are fewer.
std::string_view DropCharacters(std::string_view text, int64_t count);

/// Every `from` becomes `to`, in one pass from the left. An empty `from` changes nothing.
std::string ReplaceEvery(std::string_view text, std::string_view from, std::string_view to);

/// Without the 32 characters of Python's string.punctuation.
std::string DeleteAsciiPunctuation(std::string_view text);

}  // namespace nemo::eval
