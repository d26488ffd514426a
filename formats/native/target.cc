// Writing a shard set: everything grows in DST.partial, the manifest comes last, one rename
// publishes it. With force the old set is moved aside to DST.old first and removed only when the
// new one stands.
#include <utility>

#include "formats/native/assemble.h"
#include "formats/native/directory.h"
#include "formats/native/native.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace native {
namespace {

/// Nothing is ever removed but a shard set, whole or unfinished, or an empty directory.
Status CheckRemovable(const std::string& path) {
  if (KindOf(path) == PathKind::kAbsent) return OkStatus();
  if (KindOf(path) == PathKind::kDirectory) {
    const auto directory = OpenDirectory(path);
    if (directory && HoldsOnlyShardSetFiles(**directory)) {
      if ((*directory)->files().empty() || HoldsRankFiles(**directory)) return OkStatus();
    }
  }
  return InvalidArgument(
      Format("{}: in the way, and neither empty nor a shard set and nothing else, so it "
             "is not removed; move it away or name another destination",
             path));
}

/// The same for what an earlier run left unfinished: it may have stopped before its first rank
/// file.
Status CheckLeftover(const std::string& path) {
  const auto directory = OpenDirectory(path);
  if (directory && HoldsOnlyShardSetFiles(**directory)) return OkStatus();
  return CheckRemovable(path);
}

Status CheckDestination(const std::string& path, bool force) {
  if (KindOf(path) == PathKind::kAbsent) return OkStatus();
  if (!force) {
    return InvalidArgument(
        Format("{}: exists; name a new directory, or pass --force to replace a shard "
               "set that stands there",
               path));
  }
  return CheckRemovable(path);
}

class NativeTarget : public Target {
 public:
  NativeTarget(std::string path, const Container& container, bool force)
      : path_(std::move(path)),
        partial_(path_ + ".partial"),
        container_(container),
        force_(force) {}

  /// Clears what an earlier run left and makes room.
  Status Prepare();
  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override;
  Status Finish(const Plan& plan, const Attachments& attachments,
                const std::vector<WrittenFile>& written) override;
  void Abandon() override;

 private:
  Status Attach(Manifest& manifest, std::string_view name, const std::string& bytes);
  Status Publish();

  std::string path_;
  std::string partial_;
  const Container& container_;
  bool force_;
};

Status NativeTarget::Prepare() {
  NEMO_RETURN_IF_ERROR(CheckDestination(path_, force_));
  if (KindOf(partial_) != PathKind::kAbsent) NEMO_RETURN_IF_ERROR(CheckLeftover(partial_));
  NEMO_RETURN_IF_ERROR(RemoveAll(partial_));
  return CreateDirectories(partial_);
}

Result<std::unique_ptr<TensorSink>> NativeTarget::OpenFile(const PlannedFile& file) {
  return container_.create_sink(JoinPath(partial_, file.stem + std::string(container_.extension)));
}

/// An attachment is a listed file without tensors: all of its bytes are metadata.
Status NativeTarget::Attach(Manifest& manifest, std::string_view name, const std::string& bytes) {
  if (bytes.empty()) return OkStatus();
  manifest.files.push_back({std::string(name), static_cast<int64_t>(bytes.size()),
                            HashHex(std::as_bytes(std::span(bytes)))});
  return WriteFileAtomically(JoinPath(partial_, name), bytes);
}

Status NativeTarget::Finish(const Plan& plan, const Attachments& attachments,
                            const std::vector<WrittenFile>& written) {
  NEMO_ASSIGN_OR_RETURN(Manifest manifest, ManifestOf(plan, container_.extension, written));
  manifest.source = attachments.source;
  manifest.container = std::string(container_.name);
  NEMO_RETURN_IF_ERROR(Attach(manifest, kModelConfigName, attachments.model_config_yaml));
  NEMO_RETURN_IF_ERROR(Attach(manifest, kTokenizerName, attachments.tokenizer_model));
  NEMO_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(partial_, kManifestName), ToJsonText(manifest)));
  return Publish();
}

Status NativeTarget::Publish() {
  // Hours may have passed since Prepare looked.
  NEMO_RETURN_IF_ERROR(CheckDestination(path_, force_));
  if (KindOf(path_) == PathKind::kAbsent) return RenameAndSync(partial_, path_);
  const std::string aside = path_ + ".old";
  NEMO_RETURN_IF_ERROR(CheckRemovable(aside));
  NEMO_RETURN_IF_ERROR(RemoveAll(aside));
  NEMO_RETURN_IF_ERROR(RenameAndSync(path_, aside));
  if (Status status = RenameAndSync(partial_, path_); !status.ok()) {
    if (const Status back = RenameAndSync(aside, path_); !back.ok()) {
      return status.At(Format("the former set stays at {} ({})", aside, back.message()));
    }
    return status;
  }
  return RemoveAll(aside);
}

void NativeTarget::Abandon() {
  // Called on the way out of an error that matters more than what is left behind.
  static_cast<void>(RemoveAll(partial_).ok());
}

}  // namespace
}  // namespace native

Result<std::unique_ptr<Target>> CreateNativeTarget(const std::string& path,
                                                   const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(const native::Container* container,
                        native::FindContainer(options.container));
  const std::string name = BaseName(path);
  if (name.empty() || name == "." || name == ".." || name == "/") {
    return InvalidArgument(Format("'{}' cannot be given to a new directory; name one", path));
  }
  auto target = std::make_unique<native::NativeTarget>(
      path.find('/') == std::string::npos ? path : JoinPath(DirName(path), name), *container,
      options.force);
  NEMO_RETURN_IF_ERROR(target->Prepare());
  return std::unique_ptr<Target>(std::move(target));
}

}  // namespace nemo
