#include "libcore/eval/template.h"

#include <algorithm>
#include <charconv>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/eval/python_text.h"
#include "libcore/eval/regex.h"

namespace nemo::eval {
namespace {

using Arguments = std::vector<std::string>;

Result<int64_t> Number(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument(Format("'{}' is no number", text));
  }
  return number;
}

Result<std::string> Before(std::string_view text, const std::string& mark) {
  const size_t at = text.find(mark);
  if (at == text.npos) return InvalidArgument(Format("there is no '{}' in '{}'", mark, text));
  return std::string(text.substr(0, at));
}

Result<std::string> After(std::string_view text, const std::string& mark) {
  const size_t at = text.find(mark);
  if (at == text.npos) return InvalidArgument(Format("there is no '{}' in '{}'", mark, text));
  return std::string(text.substr(at + mark.size()));
}

Result<std::string> Drop(std::string_view text, const std::string& count) {
  NEMO_ASSIGN_OR_RETURN(const int64_t number, Number(count));
  return std::string(DropCharacters(text, number));
}

Result<std::string> RemovePattern(std::string_view text, const std::string& pattern) {
  NEMO_ASSIGN_OR_RETURN(const Regex regex, Regex::Compile(pattern));
  return regex.Remove(text);
}

Result<std::string> Replace(std::string_view text, const std::string& from, const std::string& to) {
  int64_t size = std::ssize(text);
  for (size_t at = 0; !from.empty() && (at = text.find(from, at)) != text.npos; at += from.size()) {
    size += std::ssize(to) - std::ssize(from);
  }
  NEMO_RETURN_IF_ERROR(CheckTextBytes(size));
  return ReplaceEvery(text, from, to);
}

struct StepRow {
  std::string_view name;
  size_t num_arguments;
  Result<std::string> (*run)(std::string_view text, const Arguments& arguments);
};

// In reading order; docs/eval.md tells them.
constexpr StepRow kSteps[] = {
    {"strip", 0,
     [](std::string_view t, const Arguments&) -> Result<std::string> {
       return std::string(Strip(t));
     }},
    {"lower", 0,
     [](std::string_view t, const Arguments&) -> Result<std::string> { return Lower(t); }},
    {"capitalize", 0,
     [](std::string_view t, const Arguments&) -> Result<std::string> { return Capitalize(t); }},
    {"before", 1, [](std::string_view t, const Arguments& a) { return Before(t, a[0]); }},
    {"after", 1, [](std::string_view t, const Arguments& a) { return After(t, a[0]); }},
    {"drop", 1, [](std::string_view t, const Arguments& a) { return Drop(t, a[0]); }},
    {"replace", 2, [](std::string_view t, const Arguments& a) { return Replace(t, a[0], a[1]); }},
    {"remove", 1, [](std::string_view t, const Arguments& a) { return RemovePattern(t, a[0]); }},
};

std::string StepNames() {
  std::vector<std::string_view> names;
  for (const StepRow& row : kSteps) names.push_back(row.name);
  return FormatList(names);
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

// Reads what stands between "{{" and "}}".
class ExpressionReader {
 public:
  explicit ExpressionReader(std::string_view text) : text_(text) {}
  size_t position() const { return at_; }

  Result<Template::Part> Read() {
    Template::Part part;
    NEMO_ASSIGN_OR_RETURN(const std::string_view field, Name("a field"));
    part.path = SplitPath(field);
    while (Take("|")) {
      NEMO_ASSIGN_OR_RETURN(Template::Step step, ReadStep());
      part.steps.push_back(std::move(step));
    }
    if (!Take("}}")) return Expected("'|' or '}}'");
    return part;
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Take(std::string_view mark) {
    SkipBlanks();
    if (!text_.substr(at_).starts_with(mark)) return false;
    at_ += mark.size();
    return true;
  }
  Status Expected(std::string_view what) const {
    return InvalidArgument(Format("{} was expected at '{}'", what, text_.substr(at_, 20)));
  }
  Result<std::string_view> Name(std::string_view what) {
    SkipBlanks();
    const size_t begin = at_;
    while (at_ < text_.size() && IsNameCharacter(text_[at_])) ++at_;
    if (at_ == begin) return Expected(what);
    return text_.substr(begin, at_ - begin);
  }

  Result<std::string> Argument() {
    if (!Take("\"")) {
      NEMO_ASSIGN_OR_RETURN(const std::string_view number, Name("a number or a quoted text"));
      return std::string(number);
    }
    std::string out;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        out += text_[at_];
        continue;
      }
      const char c = text_[++at_];
      if (c == 'n')
        out += '\n';
      else if (c == 't')
        out += '\t';
      else if (c == '"' || c == '\\')
        out += c;
      else
        (out += '\\') += c;
    }
    if (!Take("\"")) return Expected("a closing '\"'");
    return out;
  }

  Result<Template::Step> ReadStep() {
    NEMO_ASSIGN_OR_RETURN(const std::string_view name, Name("a step"));
    const auto* row = std::find_if(std::begin(kSteps), std::end(kSteps),
                                   [&](const StepRow& r) { return r.name == name; });
    if (row == std::end(kSteps)) {
      return InvalidArgument(Format("there is no step '{}'; there are {}", name, StepNames()));
    }
    Template::Step step{static_cast<size_t>(row - kSteps), {}};
    if (Take("(")) {
      do {
        NEMO_ASSIGN_OR_RETURN(std::string argument, Argument());
        step.arguments.push_back(std::move(argument));
      } while (Take(","));
      if (!Take(")")) return Expected("')'");
    }
    if (step.arguments.size() != row->num_arguments) {
      return InvalidArgument(Format("step {} takes {} arguments, not {}", name, row->num_arguments,
                                    step.arguments.size()));
    }
    return step;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string Dotted(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& name : path) out += (out.empty() ? "" : ".") + name;
  return out;
}

std::string FieldNames(const Value& scope) {
  std::vector<std::string_view> names;
  if (scope.is_object()) {
    for (const auto& [name, value] : scope.as_object()) names.push_back(name);
  }
  return FormatList(names);
}

Result<std::string> RenderPart(const Template::Part& part, const Value& scope) {
  if (part.path.empty()) return part.text;
  NEMO_ASSIGN_OR_RETURN(const Value* value, Lookup(scope, part.path));
  std::string text = TextOf(*value);
  for (const Template::Step& step : part.steps) {
    NEMO_ASSIGN_OR_RETURN(text, kSteps[step.row].run(text, step.arguments));
  }
  return text;
}

}  // namespace

std::string TextOf(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  return ToJson(value);
}

Status CheckTextBytes(int64_t size_bytes) {
  if (size_bytes <= kMaxTextBytes) return OkStatus();
  return InvalidArgument(Format("a row becomes texts of more than {}", FormatBytes(kMaxTextBytes)));
}

std::vector<std::string> SplitPath(std::string_view dotted) {
  std::vector<std::string> path;
  for (size_t dot; (dot = dotted.find('.')) != dotted.npos; dotted.remove_prefix(dot + 1)) {
    path.emplace_back(dotted.substr(0, dot));
  }
  path.emplace_back(dotted);
  return path;
}

Result<const Value*> Lookup(const Value& scope, const std::vector<std::string>& path) {
  const Value* value = &scope;
  for (const std::string& name : path) {
    const Value* member = value->Find(name);
    if (member == nullptr && value->is_array()) {
      const Result<int64_t> index = Number(name);
      if (index && *index >= 0 && *index < std::ssize(value->as_array())) {
        member = &value->as_array()[*index];
      }
    }
    if (member == nullptr) {
      return InvalidArgument(Format("there is no field '{}'; where '{}' is looked for there are {}",
                                    Dotted(path), name, FieldNames(*value)));
    }
    value = member;
  }
  return value;
}

Result<Template> Template::Parse(std::string_view text) {
  Template out;
  out.text_ = text;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t open = std::min(rest.find("{{"), rest.size());
    if (open > 0) out.parts_.push_back({std::string(rest.substr(0, open)), {}, {}});
    rest.remove_prefix(open);
    if (rest.empty()) break;
    ExpressionReader reader(rest.substr(2));
    Result<Part> part = reader.Read();
    if (!part) return part.error().At(Format("template '{}'", text.substr(0, 80)));
    out.parts_.push_back(std::move(*part));
    rest.remove_prefix(2 + reader.position());
  }
  return out;
}

Result<std::string> Template::Render(const Value& scope) const {
  std::string out;
  for (const Part& part : parts_) {
    Result<std::string> text = RenderPart(part, scope);
    const Status status = text ? CheckTextBytes(std::ssize(out) + std::ssize(*text)) : text.error();
    if (!status.ok()) return status.At(Format("template '{}'", text_.substr(0, 80)));
    out += *text;
  }
  return out;
}

}  // namespace nemo::eval
