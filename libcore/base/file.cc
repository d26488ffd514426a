#include "libcore/base/file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "libcore/base/direct_io.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

class PosixFile : public RandomAccessFile {
 public:
  PosixFile(std::string path, Descriptor fd, int64_t size)
      : io_(std::move(path), std::move(fd), O_RDONLY), size_bytes_(size) {}
  int64_t size_bytes() const override { return size_bytes_; }
  const std::string& name() const override { return io_.path(); }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    return io_.ReadAt(offset_bytes, out);
  }
  int64_t PhaseAt(int64_t offset_bytes) const override { return offset_bytes % kDirectAlignment; }

 private:
  DirectIo io_;
  int64_t size_bytes_;
};

class FileSlice : public RandomAccessFile {
 public:
  FileSlice(std::shared_ptr<RandomAccessFile> file, int64_t offset, int64_t size, std::string name)
      : file_(std::move(file)), offset_(offset), size_(size), name_(std::move(name)) {}
  int64_t size_bytes() const override { return size_; }
  const std::string& name() const override { return name_; }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    const auto length = static_cast<int64_t>(out.size());
    if (offset_bytes < 0 || offset_bytes > size_ || length > size_ - offset_bytes) {
      return Corruption(Format("{}: ends at byte {}, and bytes {}..{} are needed", name_, size_,
                               offset_bytes, offset_bytes + length));
    }
    return file_->ReadAt(offset_ + offset_bytes, out);
  }
  int64_t PhaseAt(int64_t offset_bytes) const override {
    return file_->PhaseAt(offset_ + offset_bytes);
  }

 private:
  std::shared_ptr<RandomAccessFile> file_;
  int64_t offset_, size_;
  std::string name_;
};

class DirectoryTree : public FileTree {
 public:
  DirectoryTree(std::string path, std::vector<std::string> files)
      : path_(std::move(path)), files_(std::move(files)) {}
  const std::vector<std::string>& files() const override { return files_; }
  const std::string& name() const override { return path_; }
  Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const override {
    if (!Contains(name)) return NotFound(Format("{}: no file '{}'", path_, name));
    return OpenFile(JoinPath(path_, name));
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

constexpr int kWriteFlags = O_RDWR | O_CREAT | O_CLOEXEC;

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor fd)
      : io_(std::move(path), std::move(fd), kWriteFlags) {}

  Status WriteAt(int64_t offset_bytes, std::span<const std::byte> data) override {
    return io_.WriteAt(offset_bytes, data);
  }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    return io_.ReadAt(offset_bytes, out);
  }
  Status Truncate(int64_t size_bytes) override {
    if (::ftruncate(io_.fd(), size_bytes) == 0) return OkStatus();
    return ErrnoError(errno,
                      Format("{}: setting the size to {}", io_.path(), FormatBytes(size_bytes)));
  }

  Status Preallocate(int64_t size_bytes) override {
    if (size_bytes == 0) return OkStatus();
    if (::fallocate(io_.fd(), 0, 0, size_bytes) == 0) return OkStatus();
    // File systems without fallocate (NFS, some overlays) grow the file instead.
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
      return ErrnoError(errno, Format("{}: reserving {}", io_.path(), FormatBytes(size_bytes)));
    }
    struct stat info {};
    if (::fstat(io_.fd(), &info) != 0) return ErrnoError(errno, io_.path());
    return info.st_size < size_bytes ? Truncate(size_bytes) : OkStatus();
  }

  Status SyncAndClose() override {
    if (::fsync(io_.fd()) != 0) return ErrnoError(errno, io_.path() + ": sync");
    return io_.Close();
  }

 private:
  DirectIo io_;
};

/// Bytes that may follow a read that asked for `max_bytes`.
Status TooLarge(const std::string& name, int64_t size, int64_t max_bytes) {
  return Corruption(
      Format("{}: {} bytes, more than the {} expected at most", name, size, max_bytes));
}

}  // namespace

bool FileTree::Contains(std::string_view name) const {
  return std::binary_search(files().begin(), files().end(), name, std::less<>());
}

Result<std::shared_ptr<RandomAccessFile>> OpenFile(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError(errno, path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(info.st_mode)) return IoError(path + ": not a regular file");
  return std::shared_ptr<RandomAccessFile>(
      std::make_shared<PosixFile>(path, std::move(fd), static_cast<int64_t>(info.st_size)));
}

std::shared_ptr<RandomAccessFile> SliceFile(std::shared_ptr<RandomAccessFile> file,
                                            int64_t offset_bytes, int64_t size_bytes,
                                            std::string name) {
  NEMO_CHECK(offset_bytes >= 0 && size_bytes >= 0 && offset_bytes <= file->size_bytes() &&
             size_bytes <= file->size_bytes() - offset_bytes);
  return std::make_shared<FileSlice>(std::move(file), offset_bytes, size_bytes, std::move(name));
}

Result<std::string> ReadAll(const RandomAccessFile& file, int64_t max_bytes) {
  if (file.size_bytes() > max_bytes) return TooLarge(file.name(), file.size_bytes(), max_bytes);
  std::string text(static_cast<size_t>(file.size_bytes()), '\0');
  NEMO_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<std::string> ReadAllFrom(const std::string& path, int64_t max_bytes) {
  NEMO_ASSIGN_OR_RETURN(const auto file, OpenFile(path));
  return ReadAll(*file, max_bytes);
}

Result<std::shared_ptr<FileTree>> OpenDirectory(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_symlink() && !entry.is_regular_file()) {
        return Corruption(
            Format("{}: a symbolic link that leads to no regular file; copy what it "
                   "points to in its place",
                   entry.path().string()));
      }
      if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(path).string());
    }
  } catch (const fs::filesystem_error& e) {
    return ErrnoError(e.code().value(), path);
  }
  std::sort(files.begin(), files.end());
  return std::shared_ptr<FileTree>(std::make_shared<DirectoryTree>(path, std::move(files)));
}

Result<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path, bool truncate) {
  Descriptor fd(::open(path.c_str(), kWriteFlags | (truncate ? O_TRUNC : 0), 0666));
  if (fd.get() < 0) return ErrnoError(errno, path);
  return std::unique_ptr<WritableFile>(std::make_unique<PosixWritableFile>(path, std::move(fd)));
}

Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".partial";
  NEMO_ASSIGN_OR_RETURN(auto file, OpenForWrite(temporary, /*truncate=*/true));
  Status status = file->WriteAt(0, std::as_bytes(std::span(contents)));
  if (status.ok()) status = file->SyncAndClose();
  if (status.ok()) status = RenameAndSync(temporary, path);
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

Status ReplaceFile(const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".partial";
  {
    NEMO_ASSIGN_OR_RETURN(auto file, OpenForWrite(temporary, /*truncate=*/true));
    NEMO_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(contents))));
  }
  if (::rename(temporary.c_str(), path.c_str()) == 0) return OkStatus();
  const Status status = ErrnoError(errno, Format("renaming {} to {}", temporary, path));
  ::unlink(temporary.c_str());
  return status;
}

PathKind KindOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return PathKind::kAbsent;
  if (S_ISREG(info.st_mode)) return PathKind::kFile;
  if (S_ISDIR(info.st_mode)) return PathKind::kDirectory;
  return PathKind::kOther;
}

Status CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoError(error.value(), "creating " + path);
  return OkStatus();
}

Status RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoError(error.value(), "removing " + path);
  return OkStatus();
}

Status SyncDirectory(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoError(errno, path);
  // Some network file systems refuse to sync a directory; the rename itself has then to do.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) return ErrnoError(errno, path);
  return OkStatus();
}

Status RenameAndSync(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoError(errno, Format("renaming {} to {}", from, to));
  }
  return SyncDirectory(DirName(to));
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return Format("{}{}{}", directory, directory.back() == '/' ? "" : "/", name);
}

namespace {
std::string_view WithoutTrailingSlashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}
}  // namespace

std::string BaseName(std::string_view path) {
  path = WithoutTrailingSlashes(path);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string DirName(std::string_view path) {
  path = WithoutTrailingSlashes(path);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace nemo
