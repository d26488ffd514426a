// Regular expressions as Python's re reads them for text. The door of PCRE2: lookbehind, Unicode's
// \b, \w and \s, and a limit on the work that a hostile pattern can ask for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

struct pcre2_real_code_8;

namespace nemo::eval {

/// Immutable and thread-safe.
class Regex {
 public:
  Regex() = default;  ///< of no pattern; may only be assigned to
  /// kInvalidArgument: not a regular expression, with the place.
  static Result<Regex> Compile(std::string_view pattern);

  /// One match: groups[0] is all of it, then the groups of the pattern, empty where not taken.
  struct Match {
    std::vector<std::string> groups;
  };
  /// Every match from the left, as re.findall and re.sub of Python 3.7 and later walk: none
  /// overlap, an empty one may follow a longer one. kInvalidArgument: `text` is not UTF-8, or the
  /// pattern needs more steps on it than is sane.
  Result<std::vector<Match>> FindAll(std::string_view text) const;
  /// re.sub(pattern, "", text). Errors as FindAll.
  Result<std::string> Remove(std::string_view text) const;

  const std::string& pattern() const { return pattern_; }

 private:
  Regex(std::string pattern, std::shared_ptr<const pcre2_real_code_8> code)
      : pattern_(std::move(pattern)), code_(std::move(code)) {}
  template <typename OnMatch>
  Status Walk(std::string_view text, const OnMatch& on_match) const;

  std::string pattern_;
  std::shared_ptr<const pcre2_real_code_8> code_;
};

/// A pattern that matches `text` and nothing else.
std::string EscapePattern(std::string_view text);

/// Letters in their simple lower or upper case; `text` comes back as it is when it is not UTF-8.
std::string UnicodeLower(std::string_view text);
std::string UnicodeUpper(std::string_view text);

}  // namespace nemo::eval
