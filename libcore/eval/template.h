// The small language of task files: text with `{{field}}` in it, a field may go through steps.
//
//   template = { text | "{{" field { "|" step } "}}" }
//   field    = name { "." ( name | number ) }             "question.choices.0.text"
//   step     = name [ "(" argument { "," argument } ")" ]   argument = "text" or a number
//
// Example: `Question: {{question | strip}}\nA. {{choices.0}}`. docs/eval.md lists the steps. In
// quoted arguments \n, \t, \" and \\ have their usual meaning; other backslashes stay.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo::eval {

/// How a value stands in a text: numbers and truth values as Python prints them; null, lists and
/// mappings as JSON.
std::string TextOf(const Value& value);

/// Most that templates make for one row: fields may hold one another several times over.
inline constexpr int64_t kMaxTextBytes = int64_t{4} << 20;
/// kInvalidArgument above that.
Status CheckTextBytes(int64_t size_bytes);

/// Immutable and thread-safe.
class Template {
 public:
  Template() = default;  ///< renders to nothing
  /// kInvalidArgument: not of the grammar above, an unknown step (with the nearest), a step with
  /// the wrong arguments.
  static Result<Template> Parse(std::string_view text);
  /// kInvalidArgument: `scope` lacks a field (with those that it has), a step fails on it, or the
  /// text is too large.
  Result<std::string> Render(const Value& scope) const;
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

  struct Step {
    size_t row = 0;  // of the table of steps
    std::vector<std::string> arguments;
  };
  struct Part {
    std::string text;  // as it is, when there is no path
    std::vector<std::string> path;
    std::vector<Step> steps;
  };

 private:
  std::string text_;
  std::vector<Part> parts_;
};

/// The member of `scope` that `path` leads to: names, or positions in lists. kInvalidArgument.
Result<const Value*> Lookup(const Value& scope, const std::vector<std::string>& path);
std::vector<std::string> SplitPath(std::string_view dotted);

}  // namespace nemo::eval
