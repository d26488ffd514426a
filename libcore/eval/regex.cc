#include "libcore/eval/regex.h"

#include <cctype>
#include <optional>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "libcore/base/format.h"

namespace nemo::eval {
namespace {

constexpr uint32_t kMatchLimit = 5'000'000;  // steps of one match: well under a second
constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr uint32_t kMaxPatternBytes = 64 * 1024;

template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data, pcre2_match_data_free>>;
using MatchContext =
    std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context, pcre2_match_context_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context,
                                       Freer<pcre2_compile_context, pcre2_compile_context_free>>;

PCRE2_SPTR Units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::string MessageOf(int code) {
  PCRE2_UCHAR text[256];
  if (pcre2_get_error_message(code, text, sizeof text) < 0) return Format("error {}", code);
  return reinterpret_cast<const char*>(text);
}

MatchContext LimitedContext() {
  MatchContext context(pcre2_match_context_create(nullptr));
  NEMO_CHECK(context != nullptr);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  return context;
}

// Python: a line ends with \n alone.
CompileContext PythonContext() {
  CompileContext context(pcre2_compile_context_create(nullptr));
  NEMO_CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), kMaxPatternBytes);
  return context;
}

// Case by PCRE2's own substitution, which knows Unicode's tables.
std::string SubstituteCase(std::string_view text, const char* replacement) {
  int code = 0;
  size_t offset = 0;
  static pcre2_code* const everything = pcre2_compile(
      Units("(?s).+"), PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr);
  std::string out(text.size() * 2 + 16, '\0');
  size_t size = out.size();
  const int hits = pcre2_substitute(
      everything, Units(text), text.size(), 0, PCRE2_SUBSTITUTE_EXTENDED, nullptr, nullptr,
      Units(replacement), PCRE2_ZERO_TERMINATED, reinterpret_cast<PCRE2_UCHAR*>(out.data()), &size);
  if (hits < 0) return std::string(text);
  out.resize(size);
  return out;
}

}  // namespace

Result<Regex> Regex::Compile(std::string_view pattern) {
  int code = 0;
  size_t offset = 0;
  pcre2_code* compiled = pcre2_compile(Units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &code,
                                       &offset, PythonContext().get());
  if (compiled == nullptr) {
    return InvalidArgument(Format("regular expression {}: at byte {}: {}", pattern.substr(0, 200),
                                  offset, MessageOf(code)));
  }
  return Regex(std::string(pattern), {compiled, [](const pcre2_code* p) {
                                        pcre2_code_free(const_cast<pcre2_code*>(p));
                                      }});
}

// After an empty match the next may begin at the same place, but may not be empty there.
template <typename OnMatch>
Status Regex::Walk(std::string_view text, const OnMatch& on_match) const {
  const MatchContext context = LimitedContext();
  const MatchData data(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  NEMO_CHECK(data != nullptr);
  uint32_t options = 0;
  for (size_t begin = 0;;) {
    const int count = pcre2_match(code_.get(), Units(text), text.size(), begin, options, data.get(),
                                  context.get());
    if (count == PCRE2_ERROR_NOMATCH) return OkStatus();
    if (count < 0) {
      return InvalidArgument(
          Format("regular expression {}: {}; a simpler one is needed for a text "
                 "of {} bytes",
                 pattern_.substr(0, 200), MessageOf(count), text.size()));
    }
    const size_t* spans = pcre2_get_ovector_pointer(data.get());
    on_match(spans, pcre2_get_ovector_count(data.get()));
    options = PCRE2_NO_UTF_CHECK | (spans[0] == spans[1] ? PCRE2_NOTEMPTY_ATSTART : 0);
    begin = spans[1];
  }
}

Result<std::vector<Regex::Match>> Regex::FindAll(std::string_view text) const {
  std::vector<Match> matches;
  NEMO_RETURN_IF_ERROR(Walk(text, [&](const size_t* spans, uint32_t count) {
    Match match;
    for (uint32_t i = 0; i < count; ++i) {
      const bool taken = spans[2 * i] != PCRE2_UNSET;
      match.groups.emplace_back(taken ? text.substr(spans[2 * i], spans[2 * i + 1] - spans[2 * i])
                                      : std::string_view());
    }
    matches.push_back(std::move(match));
  }));
  return matches;
}

Result<std::string> Regex::Remove(std::string_view text) const {
  std::string out;
  size_t kept = 0;
  NEMO_RETURN_IF_ERROR(Walk(text, [&](const size_t* spans, uint32_t) {
    out.append(text.substr(kept, spans[0] - kept));
    kept = spans[1];
  }));
  return out.append(text.substr(kept));
}

std::string EscapePattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && !std::isalnum(byte)) out += '\\';
    out += c;
  }
  return out;
}

std::string UnicodeLower(std::string_view text) { return SubstituteCase(text, "\\L$0"); }
std::string UnicodeUpper(std::string_view text) { return SubstituteCase(text, "\\U$0"); }

}  // namespace nemo::eval
