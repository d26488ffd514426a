#include "tools/nemo-bench/measure/page_cache.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "libcore/base/direct_io.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

namespace fs = std::filesystem;

/// Bytes of the open file that lie in the page cache.
Result<int64_t> ResidentBytes(int fd, int64_t size_bytes, const std::string& path) {
  if (size_bytes == 0) return int64_t{0};
  const auto size = static_cast<size_t>(size_bytes);
  void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return ErrnoError(errno, path);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  const int failed = mincore(map, size, pages.data());
  const int error = errno;
  munmap(map, size);
  if (failed != 0) return ErrnoError(error, path);
  int64_t resident = 0;
  for (const unsigned char state : pages) resident += state & 1;
  return resident * static_cast<int64_t>(page);
}

Status DropFile(const std::string& path, CacheState* sum) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoError(errno, path);
  struct stat facts = {};
  if (fstat(file.get(), &facts) != 0) return ErrnoError(errno, path);
  // Dirty pages cannot be dropped.
  if (fdatasync(file.get()) != 0) return ErrnoError(errno, path);
  posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  NEMO_ASSIGN_OR_RETURN(const int64_t resident, ResidentBytes(file.get(), facts.st_size, path));
  sum->file_bytes += facts.st_size;
  sum->resident_bytes += resident;
  return OkStatus();
}

}  // namespace

Result<CacheState> DropFromPageCache(const std::string& path) {
  CacheState state;
  if (KindOf(path) != PathKind::kDirectory) {
    NEMO_RETURN_IF_ERROR(DropFile(path, &state));
    return state;
  }
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(path, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code kind;
    if (at->is_regular_file(kind)) NEMO_RETURN_IF_ERROR(DropFile(at->path().string(), &state));
  }
  if (error) return IoError(Format("{}: {}", path, error.message()));
  return state;
}

}  // namespace nemo
