// The syntax of OmegaConf's interpolations: key paths, where "${...}" ends, a resolver's arguments.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nemo {

/// Keys from a root downwards; a list's item is named by its index.
using KeyPath = std::vector<std::string>;

/// "a.b[c]" as {a, b, c}.
KeyPath SplitPath(std::string_view text);

/// Without blanks at the ends.
std::string_view Trimmed(std::string_view text);

/// Where the "}" stands that closes the "${" whose inside begins at `begin`; npos when there is
/// none.
size_t ClosingBrace(std::string_view text, size_t begin);

/// A resolver's arguments: the parts between commas that stand outside of quotes, braces and
/// brackets.
std::vector<std::string_view> SplitArguments(std::string_view text);

}  // namespace nemo
