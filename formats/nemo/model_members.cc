#include "formats/nemo/model_members.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "formats/nemo/artifact.h"
#include "formats/nemo/config.h"
#include "formats/nemo/config_fields.h"
#include "formats/nemo/config_text.h"
#include "formats/nemo/yaml_lines.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr const char* kConfigName = "model_config.yaml";

/// The same but for what the weights decide, and for what an edit can change.
bool DescribesModel(ModelConfig parsed, const ModelConfig& config) {
  parsed.padded_vocab_size = config.padded_vocab_size;
  parsed.make_vocab_size_divisible_by = config.make_vocab_size_divisible_by;
  if (parsed.vocab_size == 0) parsed.vocab_size = config.vocab_size;  // the tokenizer knows it
  return parsed == config;
}

/// A text and what has been made of it so far.
class Edit {
 public:
  Edit(std::string text, std::string base) : text_(std::move(text)), base_(std::move(base)) {}

  /// False: it cannot be done.
  bool Set(std::vector<std::string_view> path, std::string_view value) {
    if (!base_.empty()) path.insert(path.begin(), base_);
    if (std::optional<std::string> replaced = ReplaceScalar(text_, path, value)) {
      text_ = *std::move(replaced);
      return true;
    }
    if (path.size() > 1) return false;
    if (!text_.empty() && text_.back() != '\n') text_ += '\n';
    text_ += Format("{}: {}\n", path.front(), value);
    return true;
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string base_;
};

bool SetLayout(const ParallelLayout& from, const ParallelLayout& to, Edit& edit) {
  const struct {
    std::string_view key;
    int64_t from, to;
  } kSizes[] = {{kTensorParallelKey, from.tp_size, to.tp_size},
                {kPipelineParallelKey, from.pp_size, to.pp_size}};
  for (const auto& size : kSizes) {
    if (size.from == size.to) continue;
    if (!edit.Set({size.key}, Format("{}", size.to))) return false;
  }
  if (from.vpp_size == to.vpp_size) return true;
  return edit.Set({kVirtualPipelineKey}, to.vpp_size == 1 ? "null" : Format("{}", to.vpp_size));
}

struct Described {
  std::string yaml;
  std::vector<std::string> artifacts;  ///< names of the tokenizer
};

std::optional<NemoConfig> Parsed(const std::string& yaml, const ModelConfig& config) {
  Result<NemoConfig> parsed = ParseNemoConfig(yaml);
  if (!parsed || !DescribesModel(parsed->model, config)) return std::nullopt;
  return *std::move(parsed);
}

/// The attached text, made true. nullopt: it is of another model or kind, or written so that lines
/// cannot be changed.
std::optional<Described> FromAttached(const ModelConfig& config, const ParallelLayout& layout,
                                      const Attachments& attachments) {
  const std::optional<NemoConfig> before = Parsed(attachments.model_config_yaml, config);
  if (!before) return std::nullopt;
  Edit edit(attachments.model_config_yaml, before->base);
  if (!SetLayout(before->layout, layout, edit)) return std::nullopt;
  const int64_t multiple = config.make_vocab_size_divisible_by;
  if (before->model.make_vocab_size_divisible_by != multiple &&
      !edit.Set({kVocabMultipleKey}, Format("{}", multiple))) {
    return std::nullopt;
  }
  std::vector<std::string> artifacts = ReferencedMembers(before->tokenizer_references);
  if (artifacts.empty() && !attachments.tokenizer_model.empty()) {
    const auto& references = before->tokenizer_references;
    artifacts = {
        ArtifactName(references.empty() ? "" : references.front(), attachments.tokenizer_model)};
    const std::string reference = std::string(kArtifactScheme) + artifacts.front();
    if (!edit.Set({"tokenizer", "model"}, reference)) return std::nullopt;
  }
  // Lines are no YAML: what came out has to mean what it should.
  const std::optional<NemoConfig> after = Parsed(edit.text(), config);
  if (!after || after->layout != layout || after->model.make_vocab_size_divisible_by != multiple ||
      ReferencedMembers(after->tokenizer_references) != artifacts) {
    return std::nullopt;
  }
  return Described{edit.text(), std::move(artifacts)};
}

Described FromConfig(const ModelConfig& config, const ParallelLayout& layout,
                     const Attachments& attachments) {
  Described described;
  if (!attachments.tokenizer_model.empty()) {
    described.artifacts = {ArtifactName("", attachments.tokenizer_model)};
  }
  described.yaml =
      ConfigText(config, layout, described.artifacts.empty() ? "" : described.artifacts.front());
  return described;
}

}  // namespace

std::vector<Member> ModelMembers(const ModelConfig& config, const ParallelLayout& layout,
                                 const Attachments& attachments) {
  std::optional<Described> described = FromAttached(config, layout, attachments);
  if (!described) described = FromConfig(config, layout, attachments);
  std::vector<Member> members;
  members.push_back(FixedMember(kConfigName, std::move(described->yaml)));
  if (attachments.tokenizer_model.empty()) return members;
  for (std::string& name : described->artifacts) {
    members.push_back(FixedMember(std::move(name), attachments.tokenizer_model));
  }
  return members;
}

}  // namespace nemo
