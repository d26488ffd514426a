// Changing a scalar of a YAML text without touching any other byte of it: comments, order and
// spelling are the author's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nemo {

/// `text` with the scalar at `path` (keys of block mappings, from the top) replaced by `value`,
/// which is written as it is. nullopt: there is no such line, or its value is not one plain or
/// quoted scalar on that line. Works on the layout of lines alone, so a text that plays tricks with
/// it comes out wrong: parse what you get.
std::optional<std::string> ReplaceScalar(const std::string& text,
                                         std::span<const std::string_view> path,
                                         std::string_view value);

}  // namespace nemo
