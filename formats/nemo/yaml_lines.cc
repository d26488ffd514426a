#include "formats/nemo/yaml_lines.h"

#include <algorithm>

namespace nemo {
namespace {

constexpr size_t kNone = std::string_view::npos;

/// A line of the text that says something.
struct Line {
  size_t begin = 0;  ///< of its first character that is no blank
  size_t end = 0;    ///< without the line feed
  size_t indent = 0;
};

/// The first line from `at` on that is neither blank nor a comment; begin == text.size(): none.
Line NextLine(std::string_view text, size_t at) {
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const size_t begin = std::min(text.find_first_not_of(' ', at), text.size());
    const bool says_something = begin < end && text[begin] != '#' && text[begin] != '\r';
    if (says_something) return {begin, end, begin - at};
    at = end + 1;
  }
  return {text.size(), text.size(), 0};
}

/// Where the value behind "key:" begins in the block mapping at [from, to); kNone without the key.
size_t ValueOf(std::string_view text, std::string_view key, size_t from, size_t to) {
  const size_t indent = NextLine(text, from).indent;
  for (Line line = NextLine(text, from); line.begin < to; line = NextLine(text, line.end)) {
    const std::string_view content = text.substr(line.begin, line.end - line.begin);
    if (line.indent != indent || !content.starts_with(key)) continue;
    const size_t colon = key.size();
    if (colon >= content.size() || content[colon] != ':') continue;
    if (colon + 1 == content.size() || content[colon + 1] == ' ' || content[colon + 1] == '\r') {
      return line.begin + colon + 1;
    }
  }
  return kNone;
}

/// Where the mapping ends whose key stands on the line around `value`.
size_t EndOfMapping(std::string_view text, size_t value) {
  const size_t line_begin = text.rfind('\n', value - 1) + 1;  // npos + 1 is the beginning
  const size_t indent = text.find_first_not_of(' ', line_begin) - line_begin;
  Line line = NextLine(text, std::min(text.find('\n', value), text.size()));
  while (line.begin < text.size() && line.indent > indent) line = NextLine(text, line.end);
  return line.begin;
}

/// The scalar on the line from `at` on: [first, second). An empty range at its beginning when there
/// is none or it is not a plain or quoted one.
std::pair<size_t, size_t> ScalarAt(std::string_view text, size_t at) {
  const size_t line_end = std::min(text.find_first_of("\r\n", at), text.size());
  const size_t begin = std::min(text.find_first_not_of(' ', at), line_end);
  const std::string_view value = text.substr(begin, line_end - begin);
  if (value.empty() || std::string_view("|>[{&*!#").find(value.front()) != kNone) {
    return {begin, begin};
  }
  size_t size = 0;
  if (value.front() == '"' || value.front() == '\'') {
    size = value.find(value.front(), 1);
    if (size == kNone) return {begin, begin};
    const size_t behind = value.find_first_not_of(' ', ++size);
    if (behind != kNone && value[behind] != '#') return {begin, begin};
  } else {
    size = std::min(value.find(" #"), value.size());
    size = value.find_last_not_of(' ', size - 1) + 1;
  }
  return {begin, begin + size};
}

}  // namespace

std::optional<std::string> ReplaceScalar(const std::string& text,
                                         std::span<const std::string_view> path,
                                         std::string_view value) {
  size_t from = 0, to = text.size(), at = kNone;
  for (const std::string_view key : path) {
    at = ValueOf(text, key, from, to);
    if (at == kNone) return std::nullopt;
    from = std::min(text.find('\n', at), text.size());
    to = EndOfMapping(text, at);
  }
  const auto [begin, end] = ScalarAt(text, at);
  if (begin == end) return std::nullopt;
  return text.substr(0, begin) + std::string(value) + text.substr(end);
}

}  // namespace nemo
