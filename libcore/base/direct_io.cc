#include "libcore/base/direct_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {
namespace {

int64_t RoundDown(int64_t value) { return value / kDirectAlignment * kDirectAlignment; }
int64_t RoundUp(int64_t value) { return RoundDown(value + kDirectAlignment - 1); }

/// True when the disk can use the memory at `data` for the bytes from `offset_bytes` on.
bool SharesAlignment(const std::byte* data, int64_t offset_bytes) {
  return (static_cast<int64_t>(reinterpret_cast<uintptr_t>(data)) - offset_bytes) %
             kDirectAlignment ==
         0;
}

/// A thread's own memory between the disk and buffers that it cannot use.
std::span<std::byte> Staging() {
  thread_local AlignedBuffer buffer;
  return buffer.Get(DirectIo::kStagingBytes);
}

Status EndOfFile(const std::string& path, int64_t at, int64_t end) {
  return Corruption(
      Format("{}: the file ends at byte {}, and bytes up to {} are needed; the copy "
             "is incomplete",
             path, at, end));
}

/// Bytes transferred, retried when a signal came; negative: errno.
template <typename Call>
ssize_t Retry(Call call) {
  ssize_t n;
  do {
    n = call();
  } while (n < 0 && errno == EINTR);
  return n;
}

/// Of a range of a file, what the page cache holds. 0 where the kernel does not tell: the call is
/// of Linux 6.5, and no C library here knows it. Asking by a read that may not wait is no way: it
/// makes the kernel read ahead.
int64_t CachedBytes(int fd, int64_t offset_bytes, int64_t size_bytes) {
  constexpr long kCachestat = 451;  // the same number on every architecture
  struct {
    uint64_t offset, size;
  } const range = {static_cast<uint64_t>(offset_bytes), static_cast<uint64_t>(size_bytes)};
  struct {
    uint64_t cache, dirty, writeback, evicted, recently_evicted;  // pages
  } pages = {};
  if (::syscall(kCachestat, fd, &range, &pages, 0) != 0) return 0;
  return static_cast<int64_t>(pages.cache) * kDirectAlignment;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}
Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}
int Descriptor::release() { return std::exchange(fd_, -1); }

DirectIo::DirectIo(std::string path, Descriptor fd, int flags)
    : path_(std::move(path)), fd_(std::move(fd)), flags_(flags & ~(O_CREAT | O_TRUNC | O_EXCL)) {}

bool DirectIo::OpenDirect() const {
  std::call_once(opened_, [&] {
    // By descriptor, not by name: the file may have been renamed or replaced meanwhile.
    const std::string self = Format("/proc/self/fd/{}", fd_.get());
    direct_ = Descriptor(::open(self.c_str(), flags_ | O_DIRECT | O_CLOEXEC));
  });
  return direct_.get() >= 0 && !refused_.load(std::memory_order_relaxed);
}

Status DirectIo::ReadBuffered(int64_t offset_bytes, std::span<std::byte> out) const {
  const int64_t size = std::ssize(out);
  for (int64_t done = 0; done < size;) {
    const ssize_t n = Retry([&] {
      return ::pread(fd_.get(), out.data() + done, static_cast<size_t>(size - done),
                     offset_bytes + done);
    });
    if (n < 0) return ErrnoError(errno, Format("{}: read at byte {}", path_, offset_bytes + done));
    if (n == 0) return EndOfFile(path_, offset_bytes + done, offset_bytes + size);
    done += n;
  }
  return OkStatus();
}

Status DirectIo::WriteBuffered(int64_t offset_bytes, std::span<const std::byte> in) const {
  const int64_t size = std::ssize(in);
  for (int64_t done = 0; done < size;) {
    const ssize_t n = Retry([&] {
      return ::pwrite(fd_.get(), in.data() + done, static_cast<size_t>(size - done),
                      offset_bytes + done);
    });
    if (n < 0) return ErrnoError(errno, Format("{}: write at byte {}", path_, offset_bytes + done));
    done += n;
  }
  return OkStatus();
}

Status DirectIo::ReadAt(int64_t offset_bytes, std::span<std::byte> out) const {
  if (std::ssize(out) < kMinDirectBytes) return ReadBuffered(offset_bytes, out);
  if (!OpenDirect() ||
      CachedBytes(fd_.get(), offset_bytes, std::ssize(out)) > std::ssize(out) / 2) {
    return ReadBuffered(offset_bytes, out);
  }
  return ReadDirect(offset_bytes, out);
}

Status DirectIo::ReadDirect(int64_t offset_bytes, std::span<std::byte> out) const {
  const bool in_place = SharesAlignment(out.data(), offset_bytes);
  const int64_t end = offset_bytes + std::ssize(out);
  for (int64_t at = offset_bytes; at < end;) {
    // Whole pages go to their place at once; the rest of a range passes the staging memory.
    const bool whole = in_place && at % kDirectAlignment == 0 && end - at >= kDirectAlignment;
    const int64_t from = RoundDown(at);
    const std::span<std::byte> staging = whole ? std::span<std::byte>() : Staging();
    const int64_t until = whole      ? RoundDown(end)
                          : in_place ? std::min(from + kDirectAlignment, RoundUp(end))
                                     : std::min(from + std::ssize(staging), RoundUp(end));
    std::byte* const to = whole ? out.data() + (at - offset_bytes) : staging.data();
    const ssize_t n =
        Retry([&] { return ::pread(direct_.get(), to, static_cast<size_t>(until - from), from); });
    if (n < 0 && errno == EINVAL) {
      refused_ = true;
      return ReadBuffered(at, out.subspan(static_cast<size_t>(at - offset_bytes)));
    }
    if (n < 0) return ErrnoError(errno, Format("{}: read at byte {}", path_, from));
    const int64_t got = std::min(from + static_cast<int64_t>(n), end);
    if (got <= at) return EndOfFile(path_, got, end);
    if (!whole) {
      std::memcpy(out.data() + (at - offset_bytes), to + (at - from),
                  static_cast<size_t>(got - at));
    }
    at = got;
  }
  return OkStatus();
}

Status DirectIo::WriteAt(int64_t offset_bytes, std::span<const std::byte> in) const {
  const int64_t end = offset_bytes + std::ssize(in);
  const int64_t first = RoundUp(offset_bytes), last = RoundDown(end);
  if (last - first < kMinDirectBytes || !OpenDirect()) return WriteBuffered(offset_bytes, in);
  // Pages that belong to neighbours too are buffered: the kernel keeps the neighbours' bytes.
  const auto part = [&](int64_t begin, int64_t stop) {
    return in.subspan(static_cast<size_t>(begin - offset_bytes), static_cast<size_t>(stop - begin));
  };
  NEMO_RETURN_IF_ERROR(WriteBuffered(offset_bytes, part(offset_bytes, first)));
  NEMO_RETURN_IF_ERROR(WriteDirect(first, part(first, last)));
  return WriteBuffered(last, part(last, end));
}

Status DirectIo::WriteDirect(int64_t offset_bytes, std::span<const std::byte> in) const {
  const bool in_place = SharesAlignment(in.data(), offset_bytes);
  const int64_t size = std::ssize(in);
  for (int64_t done = 0; done < size;) {
    int64_t count = size - done;
    const std::byte* from = in.data() + done;
    if (!in_place) {
      const std::span<std::byte> staging = Staging();
      count = std::min(count, std::ssize(staging));
      std::memcpy(staging.data(), from, static_cast<size_t>(count));
      from = staging.data();
    }
    const ssize_t n = Retry([&] {
      return ::pwrite(direct_.get(), from, static_cast<size_t>(count), offset_bytes + done);
    });
    if (n < 0 && errno == EINVAL) {
      refused_ = true;
      return WriteBuffered(offset_bytes + done, in.subspan(static_cast<size_t>(done)));
    }
    if (n < 0) return ErrnoError(errno, Format("{}: write at byte {}", path_, offset_bytes + done));
    done += RoundDown(n);  // a partial page is written again
    if (RoundDown(n) == 0) {
      return WriteBuffered(offset_bytes + done, in.subspan(static_cast<size_t>(done)));
    }
  }
  return OkStatus();
}

Status DirectIo::Close() {
  direct_ = Descriptor();
  if (::close(fd_.release()) != 0) return ErrnoError(errno, path_ + ": close");
  return OkStatus();
}

}  // namespace nemo
