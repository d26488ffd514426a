#include "libcore/eval/sandbox/landlock.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nemo {

namespace {

/// landlock_ruleset_attr of ABI 6; older kernels take its first members.
struct RulesetAttributes {
  uint64_t files, network, scoped;
};
constexpr uint64_t kConnectOrBindTcp = 3, kAbstractSocketsAndSignals = 3;
constexpr uint64_t kRefer = 1 << 13, kTruncate = 1 << 14, kDeviceIoctl = 1 << 15;
constexpr uint64_t kAllOfAbi1 = (1 << 13) - 1;
constexpr uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE, kReadFile = LANDLOCK_ACCESS_FS_READ_FILE,
                   kReadFolder = LANDLOCK_ACCESS_FS_READ_DIR,
                   kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
/// Files, folders, links and pipes may be made; devices and sockets not.
constexpr uint64_t kScratch = kReadFile | kReadFolder | kWriteFile | kTruncate | kRefer |
                              LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                              LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                              LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;

uint64_t KnownAccess(int abi) {
  return kAllOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) |
         (abi >= 5 ? kDeviceIoctl : 0);
}

/// Adds `access`, as far as it applies to what lies at `path`.
int Allow(int ruleset, const char* path, uint64_t access) {
  const int fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  struct stat info {};
  int result = fstat(fd, &info) == 0 ? 0 : errno;
  if (result == 0 && !S_ISLNK(info.st_mode)) {
    if (!S_ISDIR(info.st_mode)) access &= kExecute | kReadFile | kWriteFile | kTruncate;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access;
    rule.parent_fd = fd;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
      result = errno;
    }
  }
  close(fd);
  return result;
}

int AllowAll(int ruleset, uint64_t known, const std::vector<std::string>& readable,
             const std::string& writable) {
  for (const std::string& path : readable) {
    const uint64_t access = kExecute | kReadFile | kReadFolder;
    if (const int error = Allow(ruleset, path.c_str(), access)) return error;
  }
  if (!writable.empty()) {
    if (const int error = Allow(ruleset, writable.c_str(), kScratch & known)) return error;
  }
  return Allow(ruleset, "/dev/null", kReadFile | kWriteFile);
}

}  // namespace

int LandlockAbi() {
  const int64_t abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, 1u /* the version */);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

int RestrictFiles(const std::vector<std::string>& readable, const std::string& writable) {
  const int abi = LandlockAbi();
  if (abi == 0) return ENOSYS;
  RulesetAttributes attributes{KnownAccess(abi), kConnectOrBindTcp, kAbstractSocketsAndSignals};
  const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0u));
  if (ruleset < 0) return errno;
  int error = AllowAll(ruleset, attributes.files, readable, writable);
  if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0) error = errno;
  close(ruleset);
  return error;
}

}  // namespace nemo
