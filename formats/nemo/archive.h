// The outer shell of a .nemo: a tar file, a gzipped tar file, or the same files unpacked in a
// directory.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// Opens `path` as a tree of files, by its first bytes and not by its name. Nothing is unpacked.
/// kNotFound, kIo; kCorruption: neither a directory nor an archive, or a damaged one.
Result<std::shared_ptr<FileTree>> OpenArchive(const std::string& path);

/// True when the file begins as a gzip or tar file does.
bool LooksLikeArchive(const RandomAccessFile& file);

/// The names and sizes of all files of a tree.
struct ArchiveIndex {
  int64_t size_bytes = 0;  ///< of all files together
  std::string xxh3;  ///< XXH3-128 over a line "<name>\t<size>\n" per file, sorted by name: the same
                     ///< for a directory and for archives packed from it
};
Result<ArchiveIndex> IndexTree(const FileTree& tree);

}  // namespace nemo
