// Writing a .nemo: as an archive, whose one sink writes everything, or as a directory.
#include <algorithm>
#include <iterator>
#include <utility>

#include "formats/nemo/member_sink.h"
#include "formats/nemo/model_members.h"
#include "formats/nemo/nemo.h"
#include "formats/nemo/weights_form.h"
#include "formats/output/output_directory.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

/// What both packagings have beside the tensors, and how they find the tensors' members.
struct Contents {
  const WeightsForm* form = nullptr;
  std::vector<Member> fixed;  ///< the model's first; the one that makes it complete last
};

Result<Contents> ContentsFor(const TargetOptions& options) {
  Contents contents;
  NEMO_ASSIGN_OR_RETURN(contents.form, FindWeightsForm(options.container));
  contents.fixed = ModelMembers(options.config, options.layout, options.attachments);
  std::vector<Member> companions = contents.form->companions(options.config);
  std::move(companions.begin(), companions.end(), std::back_inserter(contents.fixed));
  return contents;
}

/// An archive may take the place of a file, by force.
Status CheckPlace(const std::string& path, bool force) {
  const PathKind kind = KindOf(path);
  if (kind == PathKind::kAbsent || (kind == PathKind::kFile && force)) return OkStatus();
  return InvalidArgument(
      Format("{}: exists; name another archive, or pass --force to replace a file", path));
}

class ArchiveTarget : public Target {
 public:
  ArchiveTarget(std::string path, bool force, Contents contents)
      : path_(std::move(path)), force_(force), contents_(std::move(contents)) {}

  Status Prepare(bool resume) {
    NEMO_RETURN_IF_ERROR(CheckPlace(path_, force_));
    NEMO_RETURN_IF_ERROR(CheckPlace(Partial(), /*force=*/true));
    if (!resume) NEMO_RETURN_IF_ERROR(RemoveAll(Partial()));
    return CreateDirectories(DirName(path_));
  }

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile&) override {
    const auto members_of = [this](std::span<const SinkTensor> tensors) {
      std::vector<Member> all = contents_.fixed;
      std::vector<Member> weights = contents_.form->members(tensors);
      std::move(weights.begin(), weights.end(), std::back_inserter(all));
      return all;
    };
    return CreateUnpublishedSink(Partial(), Packaging::kArchive, members_of);
  }
  Status Finish(const Plan&, const std::vector<WrittenFile>&) override {
    NEMO_RETURN_IF_ERROR(CheckPlace(path_, force_));
    return RenameAndSync(Partial(), path_);
  }
  void Abandon() override {
    // Called on the way out of an error that matters more than what is left behind.
    static_cast<void>(RemoveAll(Partial()).ok());
  }

 private:
  std::string Partial() const { return path_ + ".partial"; }

  std::string path_;
  bool force_;
  Contents contents_;
};

class DirectoryTarget : public Target {
 public:
  DirectoryTarget(OutputDirectory output, Contents contents)
      : output_(std::move(output)), contents_(std::move(contents)) {}

  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override {
    const std::string path = output_.PathOf(file.stem);
    NEMO_RETURN_IF_ERROR(CreateDirectories(DirName(path)));
    return CreateMemberSink(path, contents_.form->packaging, contents_.form->members);
  }
  Status Finish(const Plan&, const std::vector<WrittenFile>&) override {
    for (const Member& member : contents_.fixed) {
      const std::string path = output_.PathOf(member.name);
      NEMO_RETURN_IF_ERROR(CreateDirectories(DirName(path)));
      for (const torch::Piece& piece : member.pieces) {
        NEMO_RETURN_IF_ERROR(WriteFileAtomically(path, piece.bytes));
      }
    }
    return output_.Publish();
  }
  void Abandon() override { output_.Abandon(); }

 private:
  OutputDirectory output_;
  Contents contents_;
};

bool IsOwnName(std::string_view name) {
  if (name == "model_config.yaml") return true;
  const bool tokenizer = name.ends_with(".model") && name.find('/') == std::string_view::npos;
  const auto forms = WeightsForms();
  return tokenizer || std::any_of(forms.begin(), forms.end(),
                                  [&](const WeightsForm* form) { return form->is_own_name(name); });
}

bool IsTellingName(std::string_view name) {
  return name == "model_weights/metadata.json" || name.ends_with("model_weights.ckpt");
}

constexpr OutputKind kDirectory = {"an unpacked .nemo", IsOwnName, IsTellingName};

Result<std::unique_ptr<Target>> CreateArchive(const std::string& path, const TargetOptions& options,
                                              Contents contents) {
  if (BaseName(path) == ".nemo") {
    return InvalidArgument(Format("'{}' is an extension and no name for an archive", path));
  }
  auto target = std::make_unique<ArchiveTarget>(path, options.force, std::move(contents));
  NEMO_RETURN_IF_ERROR(target->Prepare(options.resume));
  return std::unique_ptr<Target>(std::move(target));
}

}  // namespace

Result<std::unique_ptr<Target>> CreateNemoTarget(const std::string& path,
                                                 const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(Contents contents, ContentsFor(options));
  if (options.archive) return CreateArchive(path, options, std::move(contents));
  NEMO_ASSIGN_OR_RETURN(OutputDirectory output,
                        OutputDirectory::Create(path, kDirectory, options.force, options.resume));
  return std::unique_ptr<Target>(
      std::make_unique<DirectoryTarget>(std::move(output), std::move(contents)));
}

}  // namespace nemo
