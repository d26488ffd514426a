#include "tools/nemo-validate/validate.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/source.h"

namespace nemo {
namespace {

CheckLevel LevelFromName(const std::string& name) {
  for (const CheckLevel level : {CheckLevel::kIndex, CheckLevel::kChecksums}) {
    if (CheckLevelName(level) == name) return level;
  }
  return CheckLevel::kValues;
}

bool AnyFatal(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.fatal; });
}

/// One side: its files checked as far as its format can, then opened.
struct Side {
  std::string path;
  std::vector<Problem> problems;
  Result<Checkpoint> checkpoint;
  bool has_checksums = false;

  std::string Description() const {
    const std::string what = checkpoint ? Describe(*checkpoint) : "cannot be opened";
    return Format("{}: {}", path, what);
  }
};

Result<Side> OpenSide(const std::string& path, CheckLevel level, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const struct Format* format, DetectFormat(path));
  std::vector<Problem> problems;
  if (format->verify != nullptr) {
    const CheckLevel file_level = std::min(level, CheckLevel::kChecksums);
    NEMO_ASSIGN_OR_RETURN(problems,
                          format->verify(path, file_level, console.threads(), console.progress()));
  }
  Side side = {path, std::move(problems), OpenSource(path), format->has_checksums};
  // What verify has named already needs no second error; anything else does.
  if (!side.checkpoint && !AnyFatal(side.problems)) return side.checkpoint.error();
  return side;
}

std::string Degrees(CheckLevel level, bool has_checksums, bool compared) {
  std::string text = "index and sizes";
  if (level >= CheckLevel::kChecksums) {
    text += has_checksums ? ", checksums" : " (the format has no checksums)";
  }
  if (compared) return text + ", element by element";
  return level == CheckLevel::kValues ? text + ", values" : text;
}

void Append(std::vector<Problem> from, std::vector<Problem>& to) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

Status ValidateOne(CheckLevel level, const Console& console, Validation& validation) {
  NEMO_ASSIGN_OR_RETURN(Side side, OpenSide(validation.options.source, level, console));
  validation.description = Format("{}\nlevel {}: {}\n", side.Description(), CheckLevelName(level),
                                  Degrees(level, side.has_checksums, false));
  const bool damaged = AnyFatal(side.problems);
  Append(std::move(side.problems), validation.problems);
  if (!side.checkpoint) return OkStatus();
  const Checkpoint& checkpoint = *side.checkpoint;
  validation.num_tensors = TotalsOf(*checkpoint.source).num_tensors;
  if (level < CheckLevel::kValues) return OkStatus();
  auto found =
      CheckValues(*checkpoint.source, checkpoint.config, console.threads(), console.progress());
  // Damage that is known already may well stop the reading.
  if (!found) return damaged && !StopRequested() ? OkStatus() : found.error();
  Append(*std::move(found), validation.problems);
  return OkStatus();
}

/// What two checkpoints must share beside their tensors.
std::vector<Problem> CompareCompany(const Side& a, const Side& b) {
  std::vector<Problem> problems;
  ModelConfig config_a = a.checkpoint->config, config_b = b.checkpoint->config;
  // Padding belongs to the layout, not to the model.
  config_a.padded_vocab_size = config_b.padded_vocab_size = 0;
  config_a.make_vocab_size_divisible_by = config_b.make_vocab_size_divisible_by = 1;
  if (config_a.vocab_size == 0 || config_b.vocab_size == 0) {
    config_a.vocab_size = config_b.vocab_size = 0;
  }
  const Value value_a = ToValue(config_a), value_b = ToValue(config_b);
  for (const auto& [key, value] : value_a.as_object()) {
    const Value* other = value_b.Find(key);
    if (other == nullptr || *other == value) continue;
    problems.push_back({"config", Format("{} and {}", a.path, b.path),
                        Format("{}: {} and {}", key, ToJson(value), ToJson(*other))});
  }
  const std::string& tokenizer_a = a.checkpoint->tokenizer_model;
  const std::string& tokenizer_b = b.checkpoint->tokenizer_model;
  if (!tokenizer_a.empty() && !tokenizer_b.empty() && tokenizer_a != tokenizer_b) {
    problems.push_back({"tokenizer", Format("{} and {}", a.path, b.path),
                        "the tokenizers are not the same bytes"});
  }
  return problems;
}

Status ValidateTwo(CheckLevel level, const Console& console, Validation& validation) {
  NEMO_ASSIGN_OR_RETURN(Side a, OpenSide(validation.options.source, level, console));
  NEMO_ASSIGN_OR_RETURN(Side b, OpenSide(validation.options.other, level, console));
  validation.description =
      Format("{}\n{}\nlevel {}: {}\n", a.Description(), b.Description(), CheckLevelName(level),
             Degrees(level, a.has_checksums || b.has_checksums, true));
  const bool damaged = AnyFatal(a.problems) || AnyFatal(b.problems);
  Append(a.problems, validation.problems);
  Append(b.problems, validation.problems);
  if (!a.checkpoint || !b.checkpoint) return OkStatus();
  Append(CompareCompany(a, b), validation.problems);
  auto comparison = Compare(*a.checkpoint->source, a.checkpoint->config, *b.checkpoint->source,
                            b.checkpoint->config, console.threads(), console.progress());
  if (!comparison) return damaged && !StopRequested() ? OkStatus() : comparison.error();
  validation.comparison = *std::move(comparison);
  validation.num_tensors = validation.comparison.num_tensors;
  Append(validation.comparison.problems, validation.problems);
  return OkStatus();
}

}  // namespace

bool Validation::ok() const { return comparison.equal() && !AnyFatal(problems); }

Result<Validation> Validate(const ValidateOptions& options, const Console& console) {
  Validation validation;
  validation.options = options;
  const CheckLevel level = LevelFromName(options.level);
  NEMO_RETURN_IF_ERROR(options.other.empty() ? ValidateOne(level, console, validation)
                                             : ValidateTwo(level, console, validation));
  return validation;
}

}  // namespace nemo
