#include "libcore/eval/number_words.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace nemo::eval {
namespace {

struct WordRow {
  std::string_view word;
  int64_t value;
};

constexpr WordRow kWords[] = {
    {"zero", 0},      {"one", 1},         {"two", 2},           {"three", 3},
    {"four", 4},      {"five", 5},        {"six", 6},           {"seven", 7},
    {"eight", 8},     {"nine", 9},        {"ten", 10},          {"eleven", 11},
    {"twelve", 12},   {"thirteen", 13},   {"fourteen", 14},     {"fifteen", 15},
    {"sixteen", 16},  {"seventeen", 17},  {"eighteen", 18},     {"nineteen", 19},
    {"twenty", 20},   {"thirty", 30},     {"forty", 40},        {"fifty", 50},
    {"sixty", 60},    {"seventy", 70},    {"eighty", 80},       {"ninety", 90},
    {"hundred", 100}, {"thousand", 1000}, {"million", 1000000}, {"billion", 1000000000},
};

constexpr int64_t kMostPart = 1'000'000, kMostWhole = 1'000'000'000'000'000'000;

std::optional<int64_t> ValueOf(std::string_view word) {
  for (const WordRow& row : kWords) {
    if (row.word == word) return row.value;
  }
  return std::nullopt;
}

/// A number under way: what stands behind the last "thousand", "million", "billion", and the rest.
struct Number {
  int64_t whole = 0, part = 0;
  bool begun = false;

  void Add(int64_t value) {
    begun = true;
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

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
bool Joins(std::string_view word) { return word == "and"; }

}  // namespace

std::string NumberInWords(std::string_view text, bool last) {
  std::vector<std::string> found;
  Number number;
  const auto finish = [&] {
    if (number.begun) found.push_back(std::to_string(number.whole + number.part));
    number = Number();
  };
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsLetter(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    if (const std::optional<int64_t> value = ValueOf(word)) {
      number.Add(*value);
    } else if (word.empty() ? std::string_view(" ,-&").find(text[i]) == std::string_view::npos
                            : !Joins(word)) {
      finish();
    }
    i = std::max(end, i + 1);
  }
  finish();
  if (found.empty()) return {};
  return last ? found.back() : found.front();
}

}  // namespace nemo::eval
