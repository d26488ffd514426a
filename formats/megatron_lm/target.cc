// Writing the directory: one file of items per rank, and beside them what Megatron-LM wants to find
// before it looks at a weight.
#include <map>
#include <utility>

#include "formats/dcp/metadata_writer.h"
#include "formats/dcp/sink.h"
#include "formats/megatron_lm/args.h"
#include "formats/megatron_lm/directory.h"
#include "formats/megatron_lm/megatron_lm.h"
#include "formats/megatron_lm/stored_items.h"
#include "formats/output/output_directory.h"
#include "formats/torch/file_layout.h"
#include "libcore/base/format.h"

namespace nemo {
namespace megatron_lm {
namespace {

// Weights without the state of a training: Megatron-LM starts at iteration 0 and asks for nothing
// else.
constexpr std::string_view kSave = "release";
constexpr std::string_view kStem = "__", kExtension = ".distcp";
constexpr double kCheckpointVersion = 3.0;
constexpr const char* kDescription =
    R"({"sharded_backend": "torch_dist", "sharded_backend_version": 1, )"
    R"("common_backend": "torch", "common_backend_version": 1})";

/// release/__3_0.distcp.
bool IsDataName(std::string_view name) {
  return name.starts_with(Format("{}/{}", kSave, kStem)) && name.ends_with(kExtension);
}

bool IsOwnName(std::string_view name) {
  if (IsDataName(name) || name == kTracker || name == kTokenizer) return true;
  if (!name.starts_with(kSave) || name.substr(kSave.size(), 1) != "/") return false;
  name.remove_prefix(kSave.size() + 1);
  return name == kMetadata || name == kCommonState || name == kDistributedMarker;
}

constexpr OutputKind kDirectory = {"a distributed checkpoint that this toolkit wrote", IsOwnName,
                                   IsDataName};

class MegatronLmTarget : public Target {
 public:
  MegatronLmTarget(OutputDirectory output, Attachments attachments)
      : output_(std::move(output)), attachments_(std::move(attachments)) {}

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override {
    return dcp::CreateSink(PathInSave(DataName(file)), ItemsOf(file));
  }
  Status Finish(const Plan& plan, const std::vector<WrittenFile>& written) override;
  void Abandon() override { output_.Abandon(); }

 private:
  static std::string DataName(const PlannedFile& file) {
    return file.stem + std::string(kExtension);
  }
  std::string PathInSave(std::string_view name) const {
    return output_.PathOf(Format("{}/{}", kSave, name));
  }

  OutputDirectory output_;
  Attachments attachments_;
};

/// common.pt.
std::string CommonState(const Plan& plan) {
  return torch::TorchFileOf(
      "common", torch::PickleValue::DictOf({{"args", ArgsValue({plan.config, plan.layout})},
                                            {"checkpoint_version", kCheckpointVersion},
                                            {"iteration", 0}}));
}

Status MegatronLmTarget::Finish(const Plan& plan, const std::vector<WrittenFile>&) {
  std::map<std::string, dcp::FileItems> files;
  for (const PlannedFile& file : plan.files) files[DataName(file)] = ItemsOf(file);
  const std::pair<std::string, std::string> kBeside[] = {
      {PathInSave(kMetadata), dcp::MetadataPickle(files)},
      {PathInSave(kCommonState), CommonState(plan)},
      // Its absence means that a save was not finished.
      {PathInSave(kDistributedMarker), kDescription},
      {output_.PathOf(kTokenizer), attachments_.tokenizer_model},
      {output_.PathOf(kTracker), std::string(kSave)}};
  for (const auto& [path, bytes] : kBeside) {
    if (!bytes.empty()) NEMO_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  }
  return output_.Publish();
}

}  // namespace
}  // namespace megatron_lm

Result<std::unique_ptr<Target>> CreateMegatronLmTarget(const std::string& path,
                                                       const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(
      OutputDirectory output,
      OutputDirectory::Create(path, megatron_lm::kDirectory, options.force, options.resume));
  NEMO_RETURN_IF_ERROR(CreateDirectories(output.PathOf(megatron_lm::kSave)));
  return std::unique_ptr<Target>(
      std::make_unique<megatron_lm::MegatronLmTarget>(std::move(output), options.attachments));
}

}  // namespace nemo
