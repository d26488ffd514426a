// Files: positioned reads and writes, directories, and outputs that appear whole or not at all.
// Offsets and sizes are bytes, 64 bits everywhere: a 340B checkpoint overflows int in every
// direction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// Bytes that can be read at any place. Thread-safe. A file on disk, a member of an archive,
/// memory.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  virtual int64_t size_bytes() const = 0;
  /// Fills all of `out` from `offset_bytes`. kCorruption: the range ends past the file. kIo: the
  /// disk.
  virtual Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const = 0;
  /// Memory of this remainder modulo kDirectAlignment takes the bytes from `offset_bytes` on
  /// without a copy on their way (DirectIo). 0 where none is better than another.
  virtual int64_t PhaseAt(int64_t) const { return 0; }
  /// Proves what ReadAt has handed out, where the bytes are checked against a sum of more than was
  /// read: reads the rest of it. kCorruption: the sum is another.
  virtual Status ProveReads() const { return OkStatus(); }
  /// How messages name it: `model.nemo: ./model_weights/x/0.0`.
  virtual const std::string& name() const = 0;
};

/// Opens a regular file for positioned reads; large ones go past the page cache (DirectIo).
/// kNotFound, kIo.
Result<std::shared_ptr<RandomAccessFile>> OpenFile(const std::string& path);

/// A range of another file, which it keeps alive. NEMO_CHECKs that the range lies inside.
std::shared_ptr<RandomAccessFile> SliceFile(std::shared_ptr<RandomAccessFile> file,
                                            int64_t offset_bytes, int64_t size_bytes,
                                            std::string name);

/// The whole file as text. kCorruption when it is larger than `max_bytes`: sizes are input.
Result<std::string> ReadAll(const RandomAccessFile& file, int64_t max_bytes);
Result<std::string> ReadAllFrom(const std::string& path, int64_t max_bytes);

/// A read-only tree of named files: a directory on disk or the members of an archive.
/// Names are relative, '/'-separated, without a leading "./". Thread-safe once open.
class FileTree {
 public:
  virtual ~FileTree() = default;
  /// Every regular file, sorted by name.
  virtual const std::vector<std::string>& files() const = 0;
  /// kNotFound: no such file.
  virtual Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const = 0;
  /// True when `name` is among files().
  bool Contains(std::string_view name) const;
  /// What messages call the tree: its path.
  virtual const std::string& name() const = 0;
};

/// Lists a directory recursively (symbolic links inside it that lead to regular files are followed,
/// links to directories are refused). kNotFound, kIo, kCorruption.
Result<std::shared_ptr<FileTree>> OpenDirectory(const std::string& path);

/// A file being written under a temporary name. Any thread may read and write at once.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status WriteAt(int64_t offset_bytes, std::span<const std::byte> data) = 0;
  /// Reads back what was written. As RandomAccessFile.
  virtual Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const = 0;
  /// Cuts off, or adds zeros. kIo.
  virtual Status Truncate(int64_t size_bytes) = 0;
  /// Reserves the bytes on disk, so that a full disk shows now and not at the end. kIo.
  virtual Status Preallocate(int64_t size_bytes) = 0;
  /// Flushes to stable storage and closes.
  virtual Status SyncAndClose() = 0;
};
/// Opens (creating, or keeping what is there) for positioned writes.
Result<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path, bool truncate);

/// Writes `path` whole: to a temporary name beside it, synced, then renamed over it.
Status WriteFileAtomically(const std::string& path, std::string_view contents);

/// The same without waiting for the disk: readers see the old contents or the new ones, and a power
/// failure may leave neither.
Status ReplaceFile(const std::string& path, std::string_view contents);

enum class PathKind { kAbsent, kFile, kDirectory, kOther };
PathKind KindOf(const std::string& path);
/// Creates the directory and its parents. OK when it is already there.
Status CreateDirectories(const std::string& path);
/// Removes a file or a directory with everything in it. OK when it is not there.
Status RemoveAll(const std::string& path);
/// Makes the names in a directory outlast a crash, where the file system can.
Status SyncDirectory(const std::string& path);
/// rename(2), then fsync of the directory that holds `to`.
Status RenameAndSync(const std::string& from, const std::string& to);
std::string JoinPath(std::string_view directory, std::string_view name);
/// The last component; trailing slashes do not count.
std::string BaseName(std::string_view path);
/// The path without its last component; "." when there is none.
std::string DirName(std::string_view path);

}  // namespace nemo
