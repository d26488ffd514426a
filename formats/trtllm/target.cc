// Writing the directory, and recognising it to say that it is not read.
#include <algorithm>
#include <utility>

#include "formats/output/output_directory.h"
#include "formats/safetensors/safetensors.h"
#include "formats/trtllm/config.h"
#include "formats/trtllm/trtllm.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace trtllm {
namespace {

constexpr std::string_view kConfigName = "config.json";
constexpr std::string_view kTokenizerName = "tokenizer.model";
constexpr std::string_view kStem = "rank";
constexpr std::string_view kExtension = ".safetensors";

/// rank12.safetensors.
bool IsRankName(std::string_view name) {
  if (!name.starts_with(kStem) || !name.ends_with(kExtension)) return false;
  if (name.size() <= kStem.size() + kExtension.size()) return false;
  name.remove_prefix(kStem.size());
  name.remove_suffix(kExtension.size());
  return name.find_first_not_of("0123456789") == std::string_view::npos;
}

bool IsOwnName(std::string_view name) {
  return name == kConfigName || name == kTokenizerName || IsRankName(name);
}

constexpr OutputKind kDirectory = {"a TensorRT-LLM checkpoint", IsOwnName, IsRankName};

class TrtLlmTarget : public Target {
 public:
  TrtLlmTarget(OutputDirectory output, Attachments attachments)
      : output_(std::move(output)), attachments_(std::move(attachments)) {}

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override {
    return safetensors::CreateSinkWith(output_.PathOf(file.stem + std::string(kExtension)),
                                       safetensors::kReferenceSink);
  }
  Status Finish(const Plan& plan, const std::vector<WrittenFile>&) override {
    NEMO_RETURN_IF_ERROR(Write(kConfigName, ToJson(ConfigValue(plan), 2) + "\n"));
    if (!attachments_.tokenizer_model.empty()) {
      NEMO_RETURN_IF_ERROR(Write(kTokenizerName, attachments_.tokenizer_model));
    }
    return output_.Publish();
  }
  void Abandon() override { output_.Abandon(); }

 private:
  Status Write(std::string_view name, const std::string& bytes) {
    return WriteFileAtomically(output_.PathOf(name), bytes);
  }

  OutputDirectory output_;
  Attachments attachments_;
};

}  // namespace
}  // namespace trtllm

bool SniffTrtLlm(const std::string& path) {
  return KindOf(JoinPath(path, trtllm::kConfigName)) == PathKind::kFile &&
         KindOf(JoinPath(path, "rank0.safetensors")) == PathKind::kFile;
}

Result<Checkpoint> OpenTrtLlm(const std::string& path) {
  return Unsupported(
      Format("{}: a TensorRT-LLM checkpoint, which this build writes and does not read; use the "
             "checkpoint that it was made of",
             path));
}

Result<std::unique_ptr<Target>> CreateTrtLlmTarget(const std::string& path,
                                                   const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(
      OutputDirectory output,
      OutputDirectory::Create(path, trtllm::kDirectory, options.force, options.resume));
  return std::unique_ptr<Target>(
      std::make_unique<trtllm::TrtLlmTarget>(std::move(output), options.attachments));
}

}  // namespace nemo
