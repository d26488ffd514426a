#include "formats/nemo/archive.h"

#include <algorithm>
#include <array>
#include <span>

#include "formats/codec/gzip.h"
#include "formats/tar/tar.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace {

enum class Shell { kNeither, kTar, kGzip };

Result<Shell> ShellOf(const RandomAccessFile& file) {
  std::array<std::byte, 512> buffer;
  const auto head = std::span(buffer).first(static_cast<size_t>(
      std::min<int64_t>(file.size_bytes(), static_cast<int64_t>(buffer.size()))));
  NEMO_RETURN_IF_ERROR(file.ReadAt(0, head));
  if (head.size() >= 2 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b})
    return Shell::kGzip;
  return LooksLikeTar(head) ? Shell::kTar : Shell::kNeither;
}

Status NotAnArchive(const RandomAccessFile& file, std::string_view what) {
  return Corruption(
      Format("{}: {}; a .nemo is a tar file, a gzipped one, or a directory with "
             "model_config.yaml ({} bytes are there: an interrupted download?)",
             file.name(), what, file.size_bytes()));
}

}  // namespace

bool LooksLikeArchive(const RandomAccessFile& file) {
  const Result<Shell> shell = ShellOf(file);
  return shell && *shell != Shell::kNeither;
}

Result<std::shared_ptr<FileTree>> OpenArchive(const std::string& path) {
  if (KindOf(path) == PathKind::kDirectory) return OpenDirectory(path);
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<RandomAccessFile> file, OpenFile(path));
  NEMO_ASSIGN_OR_RETURN(Shell shell, ShellOf(*file));
  if (shell == Shell::kGzip) {
    NEMO_ASSIGN_OR_RETURN(file, OpenGzip(std::move(file)));
    NEMO_ASSIGN_OR_RETURN(shell, ShellOf(*file));
    if (shell != Shell::kTar) return NotAnArchive(*file, "gzip with no tar archive inside");
  }
  if (shell != Shell::kTar) return NotAnArchive(*file, "not an archive");
  return OpenTar(std::move(file));
}

Result<ArchiveIndex> IndexTree(const FileTree& tree) {
  ArchiveIndex index;
  Hasher hasher;
  for (const std::string& name : tree.files()) {
    NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(name));
    index.size_bytes += file->size_bytes();
    const std::string line = Format("{}\t{}\n", name, file->size_bytes());
    hasher.Update(std::as_bytes(std::span(line)));
  }
  index.xxh3 = hasher.HexDigest();
  return index;
}

}  // namespace nemo
