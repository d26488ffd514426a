// Positioned reads and writes of one open file, large ones past the page cache where the file
// system can. A checkpoint is read once and written once: copying it through the cache costs more
// than the disk, and throws out what others keep there. Facts: open(2) O_DIRECT, preadv2(2)
// RWF_NOWAIT.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "libcore/base/aligned_buffer.h"
#include "libcore/base/status.h"

namespace nemo {

/// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

/// Thread-safe. Transfers of less than kMinDirectBytes, and the pages that a larger one only
/// touches, are buffered. Fastest when buffer and file offset agree modulo kDirectAlignment: then
/// the disk and the caller share the memory; otherwise bytes pass a buffer of kStagingBytes a
/// thread.
class DirectIo {
 public:
  static constexpr int64_t kMinDirectBytes = 256 << 10;
  static constexpr int64_t kStagingBytes = 2 << 20;

  /// `flags` are those that `fd` was opened with. Other descriptors are opened when they are
  /// needed.
  DirectIo(std::string path, Descriptor fd, int flags);

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  /// Fills `out`; from the page cache where that holds most of it. kCorruption: the file ends
  /// before. kIo.
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const;
  /// kIo.
  Status WriteAt(int64_t offset_bytes, std::span<const std::byte> in) const;
  /// Closes both. kIo.
  Status Close();

 private:
  /// Opens what large transfers need. False: the file system has no such thing.
  bool OpenDirect() const;
  Status ReadDirect(int64_t offset_bytes, std::span<std::byte> out) const;
  Status WriteDirect(int64_t offset_bytes, std::span<const std::byte> in) const;
  Status ReadBuffered(int64_t offset_bytes, std::span<std::byte> out) const;
  Status WriteBuffered(int64_t offset_bytes, std::span<const std::byte> in) const;

  std::string path_;
  Descriptor fd_;
  int flags_;
  mutable std::once_flag opened_;
  mutable Descriptor direct_;  ///< -1: the file system has no such thing
  mutable std::atomic<bool> refused_{
      false};  ///< the file system took the flag and not the transfer
};

}  // namespace nemo
