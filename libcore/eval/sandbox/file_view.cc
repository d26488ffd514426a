#include "libcore/eval/sandbox/file_view.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <linux/mount.h>
#include <set>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcore/base/format.h"

namespace nemo {

namespace {

/// Any folder that every system has: the new root is mounted over it, in this process' view only.
constexpr char kMountPoint[] = "/tmp";

/// What mount_setattr takes (Linux 5.12).
struct MountAttributes {
  uint64_t set, clear, propagation, user_namespace;
};
constexpr uint64_t kReadOnly = 0x1, kNoSetuid = 0x2, kNoDevices = 0x4;

int SetAttributes(const char* path, uint64_t attributes, bool recursive) {
  MountAttributes wanted{attributes, 0, 0, 0};
  const int flags = recursive ? AT_RECURSIVE : 0;
  return syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &wanted, sizeof wanted) == 0 ? 0 : errno;
}

/// "/proc/self/fd/N" without printf, which a child of a threaded process must not call.
void NameOfFd(int fd, char (&name)[32]) {
  constexpr char kPrefix[] = "/proc/self/fd/";
  char* end = std::copy(kPrefix, kPrefix + sizeof kPrefix - 1, name);
  char digits[12];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + fd % 10);
    fd /= 10;
  } while (fd > 0);
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
}

int Bind(const FileView::Bound& bound) {
  const char* place = bound.relative.c_str();
  if (!bound.is_folder) {
    const int file = open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
    if (file < 0) return errno;
    close(file);
  }
  char source[32];
  NameOfFd(bound.fd, source);
  if (mount(source, place, nullptr, MS_BIND | MS_REC, nullptr) != 0) return errno;
  return SetAttributes(place, kReadOnly | kNoSetuid | (bound.is_device ? 0 : kNoDevices), true);
}

int Fill(const FileView& view) {
  for (const std::string& folder : view.folders) {
    if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return errno;
  }
  for (const FileView::Link& link : view.links) {
    if (symlink(link.target.c_str(), link.relative.c_str()) != 0) return errno;
  }
  for (const FileView::Bound& bound : view.bound) {
    if (const int error = Bind(bound)) return error;
  }
  return mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, view.scratch_options.c_str()) == 0
             ? 0
             : errno;
}

}  // namespace

FileView MakeFileView(const std::vector<std::string>& trees, int64_t scratch_bytes) {
  FileView view;
  std::set<std::string> folders = {"tmp", "dev"};
  const auto add_parents = [&](const std::filesystem::path& relative) {
    for (auto parent = relative.parent_path(); !parent.empty(); parent = parent.parent_path()) {
      folders.insert(parent.string());
    }
  };
  std::vector<std::string> paths = trees;
  paths.emplace_back("/dev/null");
  for (const std::string& path : paths) {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) continue;
    const std::string relative = path.substr(1);
    add_parents(relative);
    if (S_ISLNK(info.st_mode)) {
      view.links.push_back({relative, std::filesystem::read_symlink(path).string()});
      continue;
    }
    const bool is_folder = S_ISDIR(info.st_mode);
    if (is_folder) folders.insert(relative);
    view.bound.push_back({path, relative, is_folder, S_ISCHR(info.st_mode)});
  }
  view.folders.assign(folders.begin(), folders.end());  // sorted: a parent before its children
  view.scratch_options = Format("size={},nr_inodes=4096,mode=0700", scratch_bytes);
  return view;
}

int OpenBound(const FileView& view) {
  for (const FileView::Bound& bound : view.bound) {
    bound.fd = open(bound.path.c_str(), O_PATH | O_CLOEXEC);
    if (bound.fd < 0) return errno;
  }
  return 0;
}

int EnterFileView(const FileView& view) {
  if (mount("tmpfs", kMountPoint, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") != 0 ||
      chdir(kMountPoint) != 0) {
    return errno;
  }
  if (const int error = Fill(view)) return error;
  // The old root ends up below the new one, from where it is taken away.
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
    return errno;
  }
  if (const int error = SetAttributes("/", kReadOnly | kNoSetuid | kNoDevices, false)) return error;
  return chdir("/tmp") == 0 ? 0 : errno;
}

}  // namespace nemo
