#include "libcore/eval/python_text.h"

#include <algorithm>
#include <cctype>

#include "libcore/eval/regex.h"

namespace nemo::eval {
namespace {

bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t CharacterBytes(std::string_view text, size_t begin) {
  size_t end = begin + 1;
  while (end < text.size() && IsContinuationByte(text[end])) ++end;
  return end - begin;
}

bool IsAsciiBlank(std::string_view character) {
  const char c = character[0];
  return (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= ' ');
}

// str.isspace() outside ASCII: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F,
// U+205F, U+3000.
bool IsBlank(std::string_view character) {
  if (character.size() == 1) return IsAsciiBlank(character);
  static constexpr std::string_view kBlanks[] = {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001",
                                                 "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
                                                 "\u2007", "\u2008", "\u2009", "\u200a", "\u2028",
                                                 "\u2029", "\u202f", "\u205f", "\u3000"};
  return std::find(std::begin(kBlanks), std::end(kBlanks), character) != std::end(kBlanks);
}

std::string_view StripLeft(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text, 0);
    if (!IsBlank(text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  return text;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

std::string AsciiLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::string_view StripRight(std::string_view text) {
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && IsContinuationByte(text[begin])) --begin;
    if (!IsBlank(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}

std::string_view Strip(std::string_view text) { return StripRight(StripLeft(text)); }

std::vector<std::string_view> SplitBlanks(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = CharacterBytes(text, i);
    if (IsBlank(text.substr(i, bytes))) {
      if (i > begin) parts.push_back(text.substr(begin, i - begin));
      begin = i + bytes;
    }
    i += bytes;
  }
  if (begin < text.size()) parts.push_back(text.substr(begin));
  return parts;
}

std::string Lower(std::string_view text) {
  return IsAscii(text) ? AsciiLower(text) : UnicodeLower(text);
}

std::string Capitalize(std::string_view text) {
  if (text.empty()) return {};
  const size_t first = CharacterBytes(text, 0);
  return UnicodeUpper(text.substr(0, first)) + Lower(text.substr(first));
}

std::string_view DropCharacters(std::string_view text, int64_t count) {
  for (; count > 0 && !text.empty(); --count) text.remove_prefix(CharacterBytes(text, 0));
  return text;
}

std::string ReplaceEvery(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  for (size_t hit; (hit = text.find(from)) != text.npos; text.remove_prefix(hit + from.size())) {
    out.append(text.substr(0, hit)).append(to);
  }
  return out.append(text);
}

std::string DeleteAsciiPunctuation(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<signed char>(c) < 0 || !std::ispunct(static_cast<unsigned char>(c))) out += c;
  }
  return out;
}

}  // namespace nemo::eval
