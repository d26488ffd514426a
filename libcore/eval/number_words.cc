#include "libcore/eval/number_words.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/eval/regex.h"

namespace nemo::eval {
namespace {

struct WordRow {
  std::string_view word;
  int64_t value;
};

constexpr WordRow kWords[] = {
    {"zero", 0},
    {"one", 1},
    {"two", 2},
    {"three", 3},
    {"four", 4},
    {"five", 5},
    {"six", 6},
    {"seven", 7},
    {"eight", 8},
    {"nine", 9},
    {"ten", 10},
    {"eleven", 11},
    {"twelve", 12},
    {"thirteen", 13},
    {"fourteen", 14},
    {"fifteen", 15},
    {"sixteen", 16},
    {"seventeen", 17},
    {"eighteen", 18},
    {"nineteen", 19},
    {"twenty", 20},
    {"thirty", 30},
    {"forty", 40},
    {"fifty", 50},
    {"sixty", 60},
    {"seventy", 70},
    {"eighty", 80},
    {"ninety", 90},
    {"hundred", 100},
    {"thousand", 1000},
    {"million", 1000000},
    {"billion", 1000000000},
    {"trillion", 1000000000000},
};

constexpr int64_t kMostPart = 100'000, kMostWhole = 1'000'000'000'000'000'000;

std::optional<int64_t> ValueOf(std::string_view word) {
  for (const WordRow& row : kWords) {
    if (row.word == word) return row.value;
  }
  return std::nullopt;
}

/// A number under way: what stands behind the last "thousand", "million", "billion", and the rest.
struct Number {
  int64_t whole = 0, part = 0;

  void Add(int64_t value) {
    if (value < 100) {
      part = std::min(part + value, kMostPart);
    } else if (value == 100) {
      part = std::min(std::max<int64_t>(part, 1) * 100, kMostPart);
    } else {
      whole = std::min(whole + std::max<int64_t>(part, 1) * value, kMostWhole);
      part = 0;
    }
  }
};

// What the harness' pattern takes for the words of a number. It has no word boundaries ("often" has
// a ten), and a suffix that is optional in one place is needed in another: six to nine alone are
// numbers only where `bare` ones stand inside a longer one.
std::string Words(bool bare_tens, bool bare_eight) {
  std::string words = "zero|one|two|three|four|five|(?:twen|thir|for|fif|six|seven|nine)";
  words += bare_tens ? "(?:|teen|ty)" : "(?:teen|ty)";
  words += bare_eight ? "|eight(?:|een|y)" : "|eight(?:een|y)";
  words += "|ten|eleven|twelve|fourteen|hundred|thousand|(?:m|b|tr)illion";
  return "(?:" + words + ")";
}

const Regex& NumberPattern() {
  static const Regex* const pattern =
      new Regex(*Regex::Compile("((?:" + Words(false, true) + "(?:" + Words(true, false) +
                                "|[^\\S\\r\\n]|,|and|&)+)?" + Words(false, false) + ")"));
  return *pattern;
}

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }

/// The value of a text of number words; nothing when there is another word in it.
std::optional<int64_t> Evaluate(std::string_view text) {
  Number number;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsLetter(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    const std::optional<int64_t> value = ValueOf(word);
    if (value) number.Add(*value);
    if (!value && !word.empty() && word != "and") return std::nullopt;
    i = std::max(end, i + 1);
  }
  return number.whole + number.part;
}

}  // namespace

Result<std::string> NumberInWords(std::string_view text, bool last) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<Regex::Match> matches, NumberPattern().FindAll(text));
  if (matches.empty()) return std::string();
  const std::string& words = (last ? matches.back() : matches.front()).groups[0];
  const std::optional<int64_t> value = Evaluate(words);
  return value ? std::to_string(*value) : std::string();
}

}  // namespace nemo::eval
