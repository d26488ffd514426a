#include "formats/output/joined_files.h"

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

class Parts {
 public:
  Parts(std::string directory, std::vector<JoinedPart> parts)
      : directory_(std::move(directory)), parts_(std::move(parts)) {
    for (const JoinedPart& part : parts_) {
      begins_.push_back(size_bytes_);
      size_bytes_ += part.size_bytes;
    }
  }

  const std::string& directory() const { return directory_; }
  int64_t size_bytes() const { return size_bytes_; }

  /// Calls visit(path, offset in the part, offset in the range, bytes) for each part that meets
  /// `size_bytes` bytes from `offset_bytes` on.
  Status ForRange(
      int64_t offset_bytes, int64_t size_bytes,
      const std::function<Status(const std::string&, int64_t, int64_t, int64_t)>& visit) const {
    const int64_t end = offset_bytes + size_bytes;
    const auto behind = std::upper_bound(begins_.begin(), begins_.end(), offset_bytes);
    for (size_t i = static_cast<size_t>(behind - begins_.begin()) - 1; i < parts_.size(); ++i) {
      const int64_t from = std::max(begins_[i], offset_bytes);
      const int64_t to = std::min(begins_[i] + parts_[i].size_bytes, end);
      if (begins_[i] >= end) break;
      if (from >= to) continue;
      NEMO_RETURN_IF_ERROR(
          visit(PathOf(parts_[i]), from - begins_[i], from - offset_bytes, to - from));
    }
    return OkStatus();
  }

  Status ForEach(const std::function<Status(const std::string&, int64_t)>& visit) const {
    for (const JoinedPart& part : parts_) {
      NEMO_RETURN_IF_ERROR(visit(PathOf(part), part.size_bytes));
    }
    return OkStatus();
  }

  Status Read(int64_t offset_bytes, std::span<std::byte> out) const {
    if (offset_bytes < 0 || std::ssize(out) > size_bytes_ - offset_bytes) {
      return Corruption(Format("{}: {} bytes from byte {} on end past its files ({} bytes)",
                               directory_, out.size(), offset_bytes, size_bytes_));
    }
    return ForRange(offset_bytes, std::ssize(out),
                    [&](const std::string& path, int64_t at, int64_t to, int64_t size) -> Status {
                      NEMO_ASSIGN_OR_RETURN(const auto file, OpenFile(path));
                      return file->ReadAt(
                          at, out.subspan(static_cast<size_t>(to), static_cast<size_t>(size)));
                    });
  }

 private:
  std::string PathOf(const JoinedPart& part) const { return JoinPath(directory_, part.name); }

  std::string directory_;
  std::vector<JoinedPart> parts_;
  std::vector<int64_t> begins_;
  int64_t size_bytes_ = 0;
};

class JoinedWritable : public WritableFile {
 public:
  explicit JoinedWritable(Parts parts) : parts_(std::move(parts)) {}

  Status WriteAt(int64_t offset_bytes, std::span<const std::byte> data) override {
    NEMO_CHECK(offset_bytes >= 0 && std::ssize(data) <= parts_.size_bytes() - offset_bytes);
    return parts_.ForRange(
        offset_bytes, std::ssize(data),
        [&](const std::string& path, int64_t at, int64_t from, int64_t size) -> Status {
          NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(path, /*truncate=*/false));
          return file->WriteAt(at,
                               data.subspan(static_cast<size_t>(from), static_cast<size_t>(size)));
        });
  }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    return parts_.Read(offset_bytes, out);
  }
  Status Truncate(int64_t size_bytes) override {
    NEMO_CHECK(size_bytes == parts_.size_bytes());
    return ForEachFile([](WritableFile& file, int64_t size) { return file.Truncate(size); });
  }
  Status Preallocate(int64_t size_bytes) override {
    NEMO_CHECK(size_bytes == parts_.size_bytes());
    return ForEachFile([](WritableFile& file, int64_t size) { return file.Preallocate(size); });
  }
  Status SyncAndClose() override {
    // fsync is of the file, whoever wrote it.
    NEMO_RETURN_IF_ERROR(
        ForEachFile([](WritableFile& file, int64_t) { return file.SyncAndClose(); }));
    return SyncDirectory(parts_.directory());
  }

 private:
  Status ForEachFile(const std::function<Status(WritableFile&, int64_t)>& visit) {
    return parts_.ForEach([&](const std::string& path, int64_t size_bytes) -> Status {
      NEMO_ASSIGN_OR_RETURN(const auto file, OpenForWrite(path, /*truncate=*/false));
      return visit(*file, size_bytes);
    });
  }

  Parts parts_;
};

class JoinedReadable : public RandomAccessFile {
 public:
  explicit JoinedReadable(Parts parts) : parts_(std::move(parts)) {}

  int64_t size_bytes() const override { return parts_.size_bytes(); }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    return parts_.Read(offset_bytes, out);
  }
  const std::string& name() const override { return parts_.directory(); }

 private:
  Parts parts_;
};

}  // namespace

Result<std::unique_ptr<WritableFile>> OpenJoinedForWrite(const std::string& directory,
                                                         std::vector<JoinedPart> parts) {
  NEMO_RETURN_IF_ERROR(CreateDirectories(directory));
  return std::unique_ptr<WritableFile>(
      std::make_unique<JoinedWritable>(Parts(directory, std::move(parts))));
}

std::shared_ptr<RandomAccessFile> OpenJoined(const std::string& directory,
                                             std::vector<JoinedPart> parts) {
  return std::make_shared<JoinedReadable>(Parts(directory, std::move(parts)));
}

}  // namespace nemo
