// Writing a directory that transformers loads.
#include <utility>

#include "formats/hf/config.h"
#include "formats/hf/hf.h"
#include "formats/hf/index.h"
#include "formats/hf/tokenizer_json.h"
#include "formats/output/output_directory.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/text/piece_model.h"
#include "libcore/text/tokenizer.h"

namespace nemo {
namespace hf {
namespace {

constexpr OutputKind kDirectory = {"a Hugging Face directory of this toolkit", IsOwnName,
                                   IsWeightsName};

/// A wrong end-of-sequence id in config.json is not seen before the model talks on for ever: the
/// tokenizer's own word is taken, and none without it.
Result<SpecialIds> IdsOf(const std::string& tokenizer_model) {
  SpecialIds ids;
  if (tokenizer_model.empty()) return ids;
  const auto tokenizer = LoadSentencePiece(tokenizer_model);
  if (!tokenizer) return tokenizer.error().At(kTokenizerName);
  ids.bos = (*tokenizer)->bos_id();
  ids.eos = (*tokenizer)->eos_id();
  ids.pad = (*tokenizer)->pad_id();
  return ids;
}

class HfTarget : public Target {
 public:
  HfTarget(OutputDirectory output, Attachments attachments)
      : output_(std::move(output)), attachments_(std::move(attachments)) {}

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override {
    return safetensors::CreateSinkWith(output_.PathOf(file.stem + std::string(kExtension)),
                                       safetensors::kReferenceSink);
  }
  Status Finish(const Plan& plan, const std::vector<WrittenFile>& written) override;
  void Abandon() override { output_.Abandon(); }

 private:
  Status Write(std::string_view name, const std::string& bytes) {
    return WriteFileAtomically(output_.PathOf(name), bytes);
  }
  Status WriteConfigs(const Plan& plan);
  Status WriteTokenizer(const ModelConfig& config, const SpecialIds& ids);

  OutputDirectory output_;
  Attachments attachments_;
};

Status HfTarget::WriteConfigs(const Plan& plan) {
  NEMO_ASSIGN_OR_RETURN(const SpecialIds ids, IdsOf(attachments_.tokenizer_model));
  const DType dtype = plan.files.front().tensors.front().tensor.spec.dtype;
  NEMO_ASSIGN_OR_RETURN(const Value config, ConfigValue(plan.config, dtype, ids));
  NEMO_RETURN_IF_ERROR(Write(kConfigName, ToJson(config, 2) + "\n"));
  if (attachments_.tokenizer_model.empty()) return OkStatus();
  NEMO_RETURN_IF_ERROR(Write(kGenerationConfigName, ToJson(GenerationConfigValue(ids), 2) + "\n"));
  NEMO_RETURN_IF_ERROR(WriteTokenizer(plan.config, ids));
  return Write(kTokenizerName, attachments_.tokenizer_model);
}

/// transformers reads tokenizer.model itself, and leaves out the space in front of a text that many
/// models want: where tokenizer.json can say it all, that is written too.
Status HfTarget::WriteTokenizer(const ModelConfig& config, const SpecialIds& ids) {
  NEMO_ASSIGN_OR_RETURN(const PieceModel model, ParsePieceModel(attachments_.tokenizer_model));
  const std::string json = TokenizerJson(model);
  if (json.empty()) return OkStatus();
  NEMO_RETURN_IF_ERROR(Write(kTokenizerJsonName, json));
  const Value value = TokenizerConfigValue(model, config.max_position_embeddings, ids);
  return Write(kTokenizerConfigName, ToJson(value, 2) + "\n");
}

Status HfTarget::Finish(const Plan& plan, const std::vector<WrittenFile>&) {
  NEMO_RETURN_IF_ERROR(WriteConfigs(plan));
  if (plan.files.size() > 1) NEMO_RETURN_IF_ERROR(Write(kIndexName, IndexText(plan)));
  return output_.Publish();
}

}  // namespace
}  // namespace hf

Result<std::unique_ptr<Target>> CreateHfTarget(const std::string& path,
                                               const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(
      OutputDirectory output,
      OutputDirectory::Create(path, hf::kDirectory, options.force, options.resume));
  return std::unique_ptr<Target>(
      std::make_unique<hf::HfTarget>(std::move(output), options.attachments));
}

}  // namespace nemo
