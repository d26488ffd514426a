// Writing a shard set: rank files, what goes beside them, the manifest last; then one rename
// publishes it.
#include <utility>

#include "formats/native/assemble.h"
#include "formats/native/directory.h"
#include "formats/native/native.h"
#include "formats/output/output_directory.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace native {
namespace {

constexpr OutputKind kShardSet = {"a shard set", IsShardSetFileName, IsRankFileName};

class NativeTarget : public Target {
 public:
  NativeTarget(OutputDirectory output, Attachments attachments, const Container& container,
               Compression compression)
      : output_(std::move(output)),
        attachments_(std::move(attachments)),
        container_(container),
        compression_(compression) {}

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override;
  Status Finish(const Plan& plan, const std::vector<WrittenFile>& written) override;
  void Abandon() override { output_.Abandon(); }

 private:
  Status Attach(Manifest& manifest, std::string_view name, const std::string& bytes);

  OutputDirectory output_;
  Attachments attachments_;
  const Container& container_;
  Compression compression_;
};

Result<std::unique_ptr<TensorSink>> NativeTarget::OpenFile(const PlannedFile& file) {
  const std::string path = output_.PathOf(file.stem + std::string(container_.extension));
  return compression_.zstd ? container_.create_zstd_sink(path, compression_.level)
                           : container_.create_sink(path);
}

/// An attachment is a listed file without tensors: all of its bytes are metadata.
Status NativeTarget::Attach(Manifest& manifest, std::string_view name, const std::string& bytes) {
  if (bytes.empty()) return OkStatus();
  manifest.files.push_back({std::string(name), static_cast<int64_t>(bytes.size()),
                            HashHex(std::as_bytes(std::span(bytes)))});
  return WriteFileAtomically(output_.PathOf(name), bytes);
}

Status NativeTarget::Finish(const Plan& plan, const std::vector<WrittenFile>& written) {
  NEMO_ASSIGN_OR_RETURN(Manifest manifest, ManifestOf(plan, container_.extension, written));
  manifest.source = attachments_.source;
  manifest.container = std::string(container_.name);
  manifest.compression = compression_;
  NEMO_RETURN_IF_ERROR(Attach(manifest, kModelConfigName, attachments_.model_config_yaml));
  NEMO_RETURN_IF_ERROR(Attach(manifest, kTokenizerName, attachments_.tokenizer_model));
  NEMO_RETURN_IF_ERROR(WriteFileAtomically(output_.PathOf(kManifestName), ToJsonText(manifest)));
  return output_.Publish();
}

}  // namespace
}  // namespace native

Result<Plan> PlanNative(const ModelConfig& config, std::span<const TensorSpec> source,
                        const PlanOptions& options) {
  return PlanShards(config, source, options.layout, options.vocab.value_or(VocabRule{}));
}

Result<std::unique_ptr<Target>> CreateNativeTarget(const std::string& path,
                                                   const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(const native::Container* container,
                        native::FindContainer(options.container));
  if (options.compression.zstd && container->create_zstd_sink == nullptr) {
    return InvalidArgument(
        Format("{} files hold tensors as they are: nothing in them is "
               "compressed; choose the container hdf5",
               container->name));
  }
  NEMO_ASSIGN_OR_RETURN(
      OutputDirectory output,
      OutputDirectory::Create(path, native::kShardSet, options.force, options.resume));
  return std::unique_ptr<Target>(std::make_unique<native::NativeTarget>(
      std::move(output), options.attachments, *container, options.compression));
}

}  // namespace nemo
