#include "libcore/eval/filter.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "libcore/base/format.h"
#include "libcore/eval/number_words.h"
#include "libcore/eval/python_text.h"
#include "libcore/eval/spec_reader.h"
#include "libcore/eval/template.h"
#include "libcore/text/tokenizer.h"

namespace nemo::eval {
namespace {

// What findall gives of one match: all of it where the pattern has no group, else the first group
// that is not empty.
std::string FoundIn(const Regex::Match& match) {
  if (match.groups.size() == 1) return match.groups[0];
  for (size_t i = 1; i < match.groups.size(); ++i) {
    if (!match.groups[i].empty()) return match.groups[i];
  }
  return {};
}

/// The first or last match, stripped; empty when there is none.
Result<std::string> Find(const Regex& regex, std::string_view text, bool last) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<Regex::Match> matches, regex.FindAll(text));
  if (matches.empty()) return std::string();
  return std::string(Strip(FoundIn(last ? matches.back() : matches.front())));
}

Result<Regex> CompileAny(std::vector<std::string> patterns) {
  std::string all;
  for (size_t i = 0; i < patterns.size(); ++i) all += (i == 0 ? "" : "|") + patterns[i];
  return Regex::Compile(all);
}

Result<std::string> WithoutIgnored(const FilterStep& step, std::string_view text) {
  std::string out = step.ignore_case ? Lower(text) : std::string(text);
  if (!step.ignore_punctuation) return out;
  static const Regex* const punctuation = new Regex(*Regex::Compile("\\p{P}"));
  return punctuation->Remove(out);
}

std::string OrNoAnswer(std::string text) { return text.empty() ? std::string(kNoAnswer) : text; }

Result<std::string> Whitespace(const FilterStep&, std::string_view text, const Value&) {
  return std::string(Strip(text));
}

// Unlike the other steps this one lets an empty match count as an answer.
Result<std::string> First(const FilterStep& step, std::string_view text, const Value&) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<Regex::Match> matches, step.patterns[0].FindAll(text));
  if (matches.empty()) return std::string(kNoAnswer);
  const Regex::Match& match = step.last ? matches.back() : matches.front();
  const std::string found = FoundIn(match);
  if (found.empty() && match.groups.size() > 2) return std::string(kNoAnswer);
  return std::string(Strip(found));
}

Result<std::string> Mapped(const FilterStep& step, std::string_view text, const Value&) {
  NEMO_ASSIGN_OR_RETURN(const std::string shown, WithoutIgnored(step, text));
  NEMO_ASSIGN_OR_RETURN(const std::string found, Find(step.any, shown, step.last));
  if (found.empty()) return std::string(kNoAnswer);
  NEMO_ASSIGN_OR_RETURN(const std::string plain, WithoutIgnored(step, found));
  for (size_t i = 0; i < step.patterns.size(); ++i) {
    NEMO_ASSIGN_OR_RETURN(const std::string match, Find(step.patterns[i], plain, step.last));
    if (!match.empty()) return step.values[i];
  }
  return std::string(kNoAnswer);
}

Result<std::string> Number(const FilterStep& step, std::string_view text, const Value&) {
  NEMO_ASSIGN_OR_RETURN(std::string found, Find(step.patterns[0], text, step.last));
  if (found.empty()) {
    NEMO_ASSIGN_OR_RETURN(found, NumberInWords(Lower(text), step.last));
  }
  return OrNoAnswer(std::move(found));
}

Result<std::string> InputOf(const Value& doc) {
  Result<std::string> input = doc.GetString("input");
  if (!input)
    return InvalidArgument("the filter looks into the row's field 'input'; there is none");
  return input;
}

/// The options "(A) ..." of a question, as a response may spell them.
Result<std::vector<std::string>> OptionsOf(const FilterStep& step, const Value& doc) {
  NEMO_ASSIGN_OR_RETURN(const std::string input, InputOf(doc));
  static const Regex* const option = new Regex(*Regex::Compile("\\([A-Z]\\)([^\\n^(]*)"));
  NEMO_ASSIGN_OR_RETURN(const std::vector<Regex::Match> matches, option->FindAll(input));
  std::vector<std::string> options;
  for (const Regex::Match& match : matches) {
    NEMO_ASSIGN_OR_RETURN(std::string text, WithoutIgnored(step, Strip(match.groups[1])));
    options.push_back(std::move(text));
  }
  return options;
}

std::string Lettered(size_t index) { return {'(', static_cast<char>('A' + index), ')'}; }

/// An option by its text. The longest is looked for first, so that no other hides it.
Result<std::string> OptionByText(const FilterStep& step, const std::vector<std::string>& options,
                                 std::string_view text) {
  std::map<std::string, std::string> letters;
  for (size_t i = 0; i < options.size(); ++i) letters[options[i]] = Lettered(i);
  std::vector<std::string> longest = options;
  std::stable_sort(longest.begin(), longest.end(), [](const auto& a, const auto& b) {
    return CountCharacters(a) > CountCharacters(b);
  });
  for (std::string& option : longest) option = EscapePattern(option);
  NEMO_ASSIGN_OR_RETURN(const Regex any, CompileAny(longest));
  NEMO_ASSIGN_OR_RETURN(const std::string plain, WithoutIgnored(step, text));
  NEMO_ASSIGN_OR_RETURN(const std::string found, Find(any, plain, step.last));
  const auto letter = letters.find(found);
  return letter == letters.end() ? found : letter->second;
}

/// An option by its letter behind a colon.
Result<std::string> OptionByLetter(const FilterStep& step, size_t num_options,
                                   std::string_view text) {
  std::string letters;
  for (size_t i = 0; i < num_options; ++i) {
    letters += (i == 0 ? "" : "|") + std::string(1, static_cast<char>('A' + i));
  }
  NEMO_ASSIGN_OR_RETURN(const Regex regex, Regex::Compile(":[\\s]*(" + letters + ")"));
  NEMO_ASSIGN_OR_RETURN(const std::string found, Find(regex, text, step.last));
  return found.empty() ? found : "(" + found + ")";
}

Result<std::string> Choice(const FilterStep& step, std::string_view text, const Value& doc) {
  NEMO_ASSIGN_OR_RETURN(std::string found, Find(step.patterns[0], text, step.last));
  if (!found.empty()) return found;
  NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> options, OptionsOf(step, doc));
  NEMO_ASSIGN_OR_RETURN(found, OptionByText(step, options, text));
  if (found.empty()) {
    NEMO_ASSIGN_OR_RETURN(found, OptionByLetter(step, options.size(), text));
  }
  return OrNoAnswer(std::move(found));
}

/// The words of the question's list in the order in which the response names each last.
Result<std::string> WordOrder(const FilterStep&, std::string_view text, const Value& doc) {
  NEMO_ASSIGN_OR_RETURN(const std::string input, InputOf(doc));
  const size_t list = input.find("List:");
  if (list == input.npos) return InvalidArgument("the row's 'input' has no 'List:'");
  std::string_view words = std::string_view(input).substr(list + 5);
  words = words.substr(0, words.find("List:"));
  std::vector<std::string> patterns;
  for (std::string_view word : SplitBlanks(words)) {
    patterns.push_back("\\b" + std::string(word) + "\\b");
  }
  NEMO_ASSIGN_OR_RETURN(const Regex any, CompileAny(patterns));
  NEMO_ASSIGN_OR_RETURN(const std::vector<Regex::Match> matches, any.FindAll(text));
  std::string order;
  std::set<std::string> seen;
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    const std::string word = FoundIn(*match);
    if (!seen.insert(word).second) continue;
    order = order.empty() && seen.size() == 1 ? word : word + " " + order;
  }
  return order;
}

struct StepRow {
  std::string_view kind;
  Result<std::string> (*run)(const FilterStep&, std::string_view text, const Value& doc);
};

// In reading order; docs/eval.md tells them.
constexpr StepRow kSteps[] = {
    {"strip", Whitespace}, {"regex", First},   {"map", Mapped},
    {"number", Number},    {"choice", Choice}, {"word_order", WordOrder},
};

const StepRow* FindStep(std::string_view kind) {
  const auto* row = std::find_if(std::begin(kSteps), std::end(kSteps),
                                 [&](const StepRow& r) { return r.kind == kind; });
  return row == std::end(kSteps) ? nullptr : row;
}

Status ReadMap(const Value& map, FilterStep& step) {
  std::vector<std::string> patterns;
  for (const auto& [pattern, value] : map.as_object()) {
    NEMO_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern));
    step.patterns.push_back(std::move(regex));
    step.values.push_back(TextOf(value));
    patterns.push_back(pattern);
  }
  NEMO_ASSIGN_OR_RETURN(step.any, CompileAny(patterns));
  return OkStatus();
}

Result<FilterStep> ReadStep(const Value& spec, bool last) {
  FilterStep step;
  step.last = last;
  if (spec.is_string()) step.kind = spec.as_string();
  const Value* options = nullptr;
  if (spec.is_object() && spec.as_object().size() == 1) {
    step.kind = spec.as_object()[0].first;
    options = &spec.as_object()[0].second;
  }
  if (FindStep(step.kind) == nullptr) {
    std::vector<std::string_view> kinds;
    for (const StepRow& row : kSteps) kinds.push_back(row.kind);
    return InvalidArgument(Format("there is no filter step '{}'; there are {}",
                                  step.kind.empty() ? TextOf(spec) : step.kind, FormatList(kinds)));
  }
  const Value none{Value::Object{}};
  SpecReader reader(options == nullptr ? none : *options);
  const std::string pattern = reader.Text("pattern");
  const Value* map = reader.Mapping("patterns");
  step.ignore_case = reader.Flag("ignore_case");
  step.ignore_punctuation = reader.Flag("ignore_punctuation");
  NEMO_RETURN_IF_ERROR(reader.Done());
  const bool wants_pattern = step.kind == "regex" || step.kind == "number" || step.kind == "choice";
  if (wants_pattern == pattern.empty() || (step.kind == "map") != (map != nullptr)) {
    return InvalidArgument("regex, number and choice need a `pattern`, map needs `patterns`");
  }
  if (map != nullptr) NEMO_RETURN_IF_ERROR(ReadMap(*map, step));
  if (wants_pattern) {
    NEMO_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern));
    step.patterns.push_back(std::move(regex));
  }
  return step;
}

}  // namespace

Filter Filter::None() {
  Filter filter;
  filter.name_ = "none";
  return filter;
}

Result<Filter> Filter::Parse(const Value& spec) {
  SpecReader reader(spec);
  Filter filter;
  filter.name_ = reader.Text("name");
  const std::string take = reader.Text("take", "first");
  const Value* steps = reader.List("steps");
  NEMO_RETURN_IF_ERROR(reader.Done());
  if (filter.name_.empty()) return InvalidArgument("a filter needs a `name`");
  if (take != "first" && take != "last") {
    return InvalidArgument(Format("`take` is first or last, not '{}'", take));
  }
  if (steps == nullptr) return filter;
  for (const Value& value : steps->as_array()) {
    Result<FilterStep> step = ReadStep(value, take == "last");
    if (!step) return step.error().At(Format("filter {}", filter.name_));
    filter.steps_.push_back(std::move(*step));
  }
  return filter;
}

Result<std::string> Filter::Apply(std::string_view response, const Value& doc) const {
  std::string text(response);
  for (const FilterStep& step : steps_) {
    NEMO_ASSIGN_OR_RETURN(text, FindStep(step.kind)->run(step, text, doc));
  }
  return text;
}

}  // namespace nemo::eval
