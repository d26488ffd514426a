#include "tools/nemo-validate/validate.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/mpi_team.h"
#include "tools/common/source.h"

namespace nemo {
namespace {

CheckLevel LevelFromName(const std::string& name) {
  for (const CheckLevel level : {CheckLevel::kIndex, CheckLevel::kChecksums, CheckLevel::kLogits}) {
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
  if (compared) {
    text += ", element by element";
  } else if (level >= CheckLevel::kValues) {
    text += ", values";
  }
  return level == CheckLevel::kLogits ? text + ", logits" : text;
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
  validation.num_tensors = TotalsOf(checkpoint.source->specs()).num_tensors;
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

/// What must agree before hidden states and logits can be compared.
bool SameSizes(const ModelConfig& a, const ModelConfig& b) {
  return a.num_layers == b.num_layers && a.hidden_size == b.hidden_size &&
         (a.vocab_size == 0 || b.vocab_size == 0 || a.vocab_size == b.vocab_size);
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
  const ModelConfig &config_a = a.checkpoint->config, &config_b = b.checkpoint->config;
  if (level == CheckLevel::kLogits && !SameSizes(config_a, config_b)) {
    validation.problems.push_back({"logits", Format("{} and {}", a.path, b.path),
                                   "not compared: layers, widths or vocabularies differ"});
  }
  return OkStatus();
}

/// What was found in the files does not forbid running the models.
bool CanRun(const Validation& validation) {
  return std::ranges::none_of(validation.problems,
                              [](const Problem& p) { return p.code == "logits"; });
}

Status ValidateFiles(CheckLevel level, const Console& console, Validation& validation) {
  return validation.options.other.empty() ? ValidateOne(level, console, validation)
                                          : ValidateTwo(level, console, validation);
}

/// What the models say of themselves, as problems.
void AddProblems(const LogitsCheck& check, const std::string& where,
                 std::vector<Problem>& problems) {
  const LogitDeviation& logits = check.found.logits;
  const StreamDeviation* broken = check.found.first_not_finite();
  if (broken != nullptr) {
    problems.push_back({"not_finite", where,
                        Format("NaN or Inf in {} hidden values after {}, the first place",
                               broken->deviation.num_not_finite, ToString(broken->point))});
  } else if (logits.values.num_not_finite > 0) {
    problems.push_back(
        {"not_finite", where,
         Format("NaN or Inf in {} logits, and nowhere before them", logits.values.num_not_finite)});
  }
  if (logits.num_constant_a > 0) {
    problems.push_back({"constant", where,
                        Format("all logits of {} of {} tokens are the same", logits.num_constant_a,
                               logits.num_rows)});
  }
}

Status ValidateLogits(const Console& console, Validation& validation) {
  const ValidateOptions& options = validation.options;
  auto check = CheckLogits(options.source, options.other, options.logits, console);
  if (check) {
    const std::string where =
        options.other.empty() ? options.source : Format("{} and {}", options.source, options.other);
    AddProblems(*check, where, validation.problems);
    validation.logits = *std::move(check);
    return OkStatus();
  }
  // A checkpoint that is known to be damaged need not run.
  if (validation.ok() || StopRequested()) return check.error();
  validation.problems.push_back({"logits", options.source, check.error().message()});
  return OkStatus();
}

}  // namespace

Status CheckOptions(const ValidateOptions& options) {
  const std::string_view flag = options.logits.GivenFlag();
  if (options.level != CheckLevelName(CheckLevel::kLogits)) {
    if (flag.empty()) return OkStatus();
    return InvalidArgument(Format("--{} is about running the models: give --level logits", flag));
  }
  if (options.logits.tolerance >= 0 && options.other.empty()) {
    return InvalidArgument("--tolerance is about two checkpoints: give OTHER");
  }
  return OkStatus();
}

bool Validation::ok() const {
  if (AnyFatal(problems)) return false;
  // With a tolerance it is the logits that count, if they were reached.
  const bool tolerant = logits && logits->tolerance >= 0;
  const bool same_elements =
      tolerant ? comparison.missing.empty() && comparison.extra.empty() : comparison.equal();
  return same_elements && (!logits || logits->ok());
}

Result<Validation> Validate(const ValidateOptions& options, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckOptions(options));
  Validation validation;
  validation.options = options;
  const CheckLevel level = LevelFromName(options.level);
  if (level < CheckLevel::kLogits) {
    NEMO_RETURN_IF_ERROR(ValidateFiles(level, console, validation));
    return validation;
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Team> team, MakeTeam());
  validation.speaks = team->rank() == 0;
  Status status;
  if (validation.speaks) status = ValidateFiles(level, console, validation);
  if (status = team->Agree(status); !status.ok()) {
    return validation.speaks ? status : Status(status.code(), "");
  }
  const bool can_run = validation.speaks && CanRun(validation);
  NEMO_ASSIGN_OR_RETURN(const int64_t num_willing, team->Sum(can_run ? 1 : 0));
  if (num_willing > 0) NEMO_RETURN_IF_ERROR(ValidateLogits(console, validation));
  return validation;
}

}  // namespace nemo
