#include "tools/nemo-validate/report.h"

#include <algorithm>
#include <vector>

#include "libcore/base/format.h"

namespace nemo {
namespace {

Value ToValue(const Problem& problem) {
  Value value;
  value.Set("code", problem.code);
  value.Set("where", problem.where);
  value.Set("message", problem.message);
  return value;
}

Value ToValue(const Difference& difference) {
  Value value;
  value.Set("name", difference.name);
  value.Set("index", Value::ArrayOf(difference.index));
  value.Set("a", difference.a);
  value.Set("b", difference.b);
  value.Set("max_abs", difference.max_abs);
  value.Set("max_ulp", difference.max_ulp < 0 ? Value() : Value(difference.max_ulp));
  value.Set("num_different", difference.num_different);
  value.Set("where", difference.where);
  return value;
}

std::string LineOf(const Problem& problem) {
  return Format("{} {}: {}: {}\n", problem.fatal ? "problem:" : "remark:", problem.code,
                problem.where, problem.message);
}

std::string LineOf(const Difference& difference) {
  const std::string ulp =
      difference.max_ulp < 0 ? std::string() : Format(", {} ULP", difference.max_ulp);
  return Format("different: {}: first at {}: {} and {}; {} elements differ, max abs {}{} ({})\n",
                difference.name, FormatList(difference.index), difference.a, difference.b,
                difference.num_different, difference.max_abs, ulp, difference.where);
}

/// The lines, the first `max_lines` of them, and how many were left out.
std::string Limited(const std::vector<std::string>& lines, size_t max_lines) {
  const size_t shown = max_lines == 0 ? lines.size() : std::min(max_lines, lines.size());
  std::string text;
  for (size_t i = 0; i < shown; ++i) text += lines[i];
  if (shown < lines.size()) {
    text += Format("... and {} more (--verbose shows all)\n", lines.size() - shown);
  }
  return text;
}

}  // namespace

std::string ToText(const Validation& validation, size_t max_lines) {
  const Comparison& comparison = validation.comparison;
  std::vector<std::string> problems, different, missing, extra;
  for (const Problem& problem : validation.problems) problems.push_back(LineOf(problem));
  for (const Difference& difference : comparison.different) different.push_back(LineOf(difference));
  for (const std::string& name : comparison.missing) {
    missing.push_back(Format("missing: {} is not in {}\n", name, validation.options.other));
  }
  for (const std::string& name : comparison.extra) {
    extra.push_back(Format("extra: {} is not in {}\n", name, validation.options.source));
  }
  std::string text = validation.description;
  for (const auto& lines : {problems, different, missing, extra}) text += Limited(lines, max_lines);
  const std::string_view verdict = validation.options.other.empty()
                                       ? (validation.ok() ? "ok" : "not ok")
                                       : (validation.ok() ? "equal" : "not equal");
  return text + Format("{}: {} tensors\n", verdict, validation.num_tensors);
}

Value ToValue(const Validation& validation) {
  Value::Array different, problems;
  for (const Difference& difference : validation.comparison.different) {
    different.push_back(ToValue(difference));
  }
  for (const Problem& problem : validation.problems) problems.push_back(ToValue(problem));
  Value value;
  value.Set("ok", validation.ok());
  value.Set("level", validation.options.level);
  value.Set("tensors", validation.num_tensors);
  value.Set("different", std::move(different));
  value.Set("missing", Value::ArrayOf(validation.comparison.missing));
  value.Set("extra", Value::ArrayOf(validation.comparison.extra));
  value.Set("problems", std::move(problems));
  return value;
}

Value FailureToValue(const ValidateOptions& options, const Status& status) {
  std::string code(StatusCodeName(status.code()));
  std::replace(code.begin(), code.end(), ' ', '_');
  const Problem problem = {code, options.source, status.message(), true};
  Value value;
  value.Set("ok", false);
  value.Set("level", options.level);
  value.Set("tensors", 0);
  value.Set("different", Value::Array());
  value.Set("missing", Value::Array());
  value.Set("extra", Value::Array());
  value.Set("problems", Value::Array{ToValue(problem)});
  return value;
}

}  // namespace nemo
