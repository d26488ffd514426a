#include "tools/nemo-validate/report.h"

#include <algorithm>
#include <cmath>
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

/// JSON knows no infinity.
Value Number(double value) { return std::isfinite(value) ? Value(value) : Value(); }

/// {"layer", "block", "max_abs", "rms", "num_different"}; layer is null after the embedding.
Value ToValue(const StreamDeviation& stream) {
  const StreamPoint& point = stream.point;
  Value value;
  value.Set("layer", point.layer < 0 ? Value() : Value(point.layer));
  value.Set("block", point.after == StreamPoint::After::kEmbedding   ? "embedding"
                     : point.after == StreamPoint::After::kAttention ? "attention"
                                                                     : "mlp");
  value.Set("max_abs", Number(stream.deviation.max_abs));
  value.Set("rms", Number(stream.deviation.rms()));
  value.Set("num_different", stream.deviation.num_different);
  return value;
}

/// Where the models part, in the words of ToValue(StreamDeviation); null: nowhere. When all hidden
/// states are equal it is the block "output": final norm and output layer.
Value FirstDifference(const TraceDeviation& found) {
  if (const StreamDeviation* first = found.first_difference()) return ToValue(*first);
  const Deviation& logits = found.logits.values;
  if (logits.equal()) return {};
  Value value;
  value.Set("layer", Value());
  value.Set("block", "output");
  value.Set("max_abs", Number(logits.max_abs));
  value.Set("rms", Number(logits.rms()));
  value.Set("num_different", logits.num_different);
  return value;
}

Value ToValue(const LogitsCheck& check) {
  const LogitDeviation& logits = check.found.logits;
  Value value;
  value.Set("prompts", check.num_prompts);
  value.Set("tokens", check.num_tokens);
  value.Set("layout", check.layout);
  value.Set("backend", check.backend);
  value.Set("min", Number(logits.min_a));
  value.Set("max", Number(logits.max_a));
  value.Set("not_finite", logits.values.num_not_finite);
  value.Set("constant_rows", logits.num_constant_a);
  if (!check.has_other) return value;
  value.Set("tolerance", std::max(check.tolerance, 0.0));
  value.Set("equal", check.equal());
  value.Set("max_abs", Number(logits.values.max_abs));
  value.Set("rms", Number(logits.values.rms()));
  value.Set("same_choice", logits.num_same_choice);
  value.Set("kl", Number(logits.mean_kl()));
  value.Set("max_kl", Number(logits.max_kl));
  value.Set("first_difference", FirstDifference(check.found));
  Value::Array layers;
  for (const StreamDeviation& stream : check.found.streams) layers.push_back(ToValue(stream));
  value.Set("layers", std::move(layers));
  return value;
}

std::string LineOfPlace(std::string_view place, const Deviation& deviation) {
  return Format("{}: max abs {:.4g}, rms {:.4g}, {} of {} values", place, deviation.max_abs,
                deviation.rms(), deviation.num_different, deviation.num_values);
}

/// How far the logits lie apart, and where the difference begins.
std::string DifferenceText(const LogitsCheck& check) {
  const TraceDeviation& found = check.found;
  const LogitDeviation& logits = found.logits;
  std::string text = Format(
      "logits: max abs {:.4g}, rms {:.4g}, KL {:.3g} (at most {:.3g}), the same choice for {} of "
      "{} "
      "tokens{}\n",
      logits.values.max_abs, logits.values.rms(), logits.mean_kl(), logits.max_kl,
      logits.num_same_choice, logits.num_rows,
      check.tolerance < 0 ? "" : Format("; tolerance {:.4g}", check.tolerance));
  if (const StreamDeviation* first = found.first_difference()) {
    text += "first difference: " + LineOfPlace(ToString(first->point), first->deviation) + "\n";
  } else {
    text += "first difference: output (final norm and output layer); all hidden states are equal\n";
  }
  return text;
}

/// `all_layers`: a line for each place that differs.
std::string ToText(const LogitsCheck& check, bool all_layers) {
  const LogitDeviation& logits = check.found.logits;
  std::string text = Format("run: {} prompts, {} tokens, {}, {}; {}\n", check.num_prompts,
                            check.num_tokens, check.layout, check.backend,
                            logits.min_a > logits.max_a
                                ? "no logit is a number"
                                : Format("logits {:.4g} to {:.4g}", logits.min_a, logits.max_a));
  if (!check.has_other) return text;
  if (check.equal()) {
    return text + "logits: equal, and so is what each layer leaves, bit for bit\n";
  }
  text += DifferenceText(check);
  for (const StreamDeviation& stream : check.found.streams) {
    if (!all_layers || stream.deviation.equal()) continue;
    text += "  " + LineOfPlace(ToString(stream.point), stream.deviation) + "\n";
  }
  return text;
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

/// The answer about two checkpoints.
std::string_view Equality(const Validation& validation) {
  if (!validation.ok()) return "not equal";
  const bool is_equal =
      validation.comparison.equal() && (!validation.logits || validation.logits->equal());
  return is_equal ? "equal" : "equal within the tolerance";
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
  if (validation.logits) text += ToText(*validation.logits, max_lines == 0);
  const std::string_view verdict = validation.options.other.empty()
                                       ? (validation.ok() ? "ok" : "not ok")
                                       : (Equality(validation));
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
  if (validation.logits) value.Set("logits", ToValue(*validation.logits));
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
