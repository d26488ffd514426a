#include "formats/output/output_directory.h"

#include <algorithm>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

bool HoldsOnlyOwn(const FileTree& directory, const OutputKind& kind) {
  const auto& files = directory.files();
  return std::all_of(files.begin(), files.end(), [&](std::string_view name) {
    // Behind a file that grows, and behind its index while that is made afresh for a resumed run.
    for (const std::string_view temporary : {".index", ".partial"}) {
      if (name.ends_with(temporary)) name.remove_suffix(temporary.size());
    }
    return kind.is_own(name);
  });
}

bool HoldsTelling(const FileTree& directory, const OutputKind& kind) {
  const auto& files = directory.files();
  return std::any_of(files.begin(), files.end(), kind.is_telling);
}

Status CheckRemovable(const std::string& path, const OutputKind& kind) {
  if (KindOf(path) == PathKind::kAbsent) return OkStatus();
  if (KindOf(path) == PathKind::kDirectory) {
    const auto directory = OpenDirectory(path);
    if (directory && HoldsOnlyOwn(**directory, kind)) {
      if ((*directory)->files().empty() || HoldsTelling(**directory, kind)) return OkStatus();
    }
  }
  return InvalidArgument(
      Format("{}: in the way, and neither empty nor {} and nothing else, so it "
             "is not removed; move it away or name another destination",
             path, kind.what));
}

/// The same for what an earlier run left unfinished: it may have stopped before its first telling
/// file.
Status CheckLeftover(const std::string& path, const OutputKind& kind) {
  const auto directory = OpenDirectory(path);
  if (directory && HoldsOnlyOwn(**directory, kind)) return OkStatus();
  return CheckRemovable(path, kind);
}

Status CheckDestination(const std::string& path, const OutputKind& kind, bool force) {
  if (KindOf(path) == PathKind::kAbsent) return OkStatus();
  if (!force) {
    return InvalidArgument(
        Format("{}: exists; name a new directory, or pass --force to replace {} "
               "that stands there",
               path, kind.what));
  }
  return CheckRemovable(path, kind);
}

}  // namespace

OutputDirectory::OutputDirectory(std::string path, const OutputKind& kind, bool force)
    : path_(std::move(path)), partial_(path_ + ".partial"), kind_(kind), force_(force) {}

Result<OutputDirectory> OutputDirectory::Create(const std::string& path, const OutputKind& kind,
                                                bool force, bool resume) {
  const std::string name = BaseName(path);
  if (name.empty() || name == "." || name == ".." || name == "/") {
    return InvalidArgument(Format("'{}' cannot be given to a new directory; name one", path));
  }
  OutputDirectory output(path.find('/') == std::string::npos ? path : JoinPath(DirName(path), name),
                         kind, force);
  NEMO_RETURN_IF_ERROR(CheckDestination(output.path_, kind, force));
  if (KindOf(output.partial_) != PathKind::kAbsent) {
    NEMO_RETURN_IF_ERROR(CheckLeftover(output.partial_, kind));
  }
  if (!resume) NEMO_RETURN_IF_ERROR(RemoveAll(output.partial_));
  NEMO_RETURN_IF_ERROR(CreateDirectories(output.partial_));
  return output;
}

std::string OutputDirectory::PathOf(std::string_view name) const {
  return JoinPath(partial_, name);
}

Status OutputDirectory::Publish() {
  NEMO_RETURN_IF_ERROR(CheckDestination(path_, kind_, force_));
  if (KindOf(path_) == PathKind::kAbsent) return RenameAndSync(partial_, path_);
  const std::string aside = path_ + ".old";
  NEMO_RETURN_IF_ERROR(CheckRemovable(aside, kind_));
  NEMO_RETURN_IF_ERROR(RemoveAll(aside));
  NEMO_RETURN_IF_ERROR(RenameAndSync(path_, aside));
  if (Status status = RenameAndSync(partial_, path_); !status.ok()) {
    if (const Status back = RenameAndSync(aside, path_); !back.ok()) {
      return status.At(Format("what stood there before stays at {} ({})", aside, back.message()));
    }
    return status;
  }
  return RemoveAll(aside);
}

void OutputDirectory::Abandon() {
  // Called on the way out of an error that matters more than what is left behind.
  static_cast<void>(RemoveAll(partial_).ok());
}

}  // namespace nemo
