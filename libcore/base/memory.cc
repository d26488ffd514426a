#include "libcore/base/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <sys/stat.h>

#include "libcore/base/file.h"

namespace nemo {
namespace {

/// A limit from here on is none: version 1 writes the largest multiple of a page.
constexpr int64_t kNoLimit = int64_t{1} << 60;

/// The number that a file holds; nullopt: no such file, or a word ("max").
std::optional<int64_t> NumberIn(const std::string& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// The number behind `key` in a file of lines "key number ..."; 0: none.
int64_t NumberOf(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    int64_t number = 0;
    if (words >> word >> number && word == key) return number;
  }
  return 0;
}

int64_t MachineBytes(const std::string& root) {
  const std::string path = root + "/proc/meminfo";
  const int64_t kib = NumberOf(path, "MemAvailable:");
  return kib == 0 ? -1 : 1024 * (kib + NumberOf(path, "SwapFree:"));
}

/// The names that a version has for the same things.
struct Names {
  const char *limit, *usage, *inactive, *active;
};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file", "total_active_file"};
constexpr Names kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

void Tighten(const std::string& folder, const Names& names, MemoryRoom& room) {
  const auto limit = NumberIn(JoinPath(folder, names.limit));
  const auto usage = NumberIn(JoinPath(folder, names.usage));
  if (!limit || !usage || *limit >= kNoLimit) return;
  // Pages of files are counted as used, and go when memory is wanted.
  const std::string stat = JoinPath(folder, "memory.stat");
  const int64_t files = NumberOf(stat, names.inactive) + NumberOf(stat, names.active);
  const int64_t bytes = std::max<int64_t>(0, *limit - std::max<int64_t>(0, *usage - files));
  // Of two that leave the same the outer one, which more processes share.
  if (room.cgroup_bytes >= 0 && bytes > room.cgroup_bytes) return;
  struct stat info = {};
  if (::stat(folder.c_str(), &info) != 0) return;
  room.cgroup_bytes = bytes;
  room.cgroup_limit_bytes = *limit;
  room.cgroup_id = {info.st_dev, info.st_ino};
}

/// The cgroup at `path` and those around it. In a container the path may be the host's: then only
/// the mount itself, which is the container's own, is there.
void TightenAll(const std::string& mount, std::string path, const Names& names, MemoryRoom& room) {
  while (path.size() > 1) {
    if (path.find("..") == std::string::npos) Tighten(mount + path, names, room);
    path = DirName(path);
  }
  Tighten(mount, names, room);
}

}  // namespace

int64_t MemoryRoom::bytes() const {
  if (machine_bytes < 0 || cgroup_bytes < 0) return std::max(machine_bytes, cgroup_bytes);
  return std::min(machine_bytes, cgroup_bytes);
}

MemoryRoom AvailableMemory(const std::string& root) {
  MemoryRoom room;
  room.machine_bytes = MachineBytes(root);
  // cgroups(7): "number:controllers:path"; version 2 is "0::path".
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos || second + 1 >= line.size() || line[second + 1] != '/') {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1), mount = root + "/sys/fs/cgroup";
    if (controllers == ",,") {
      TightenAll(mount, path, kVersion2, room);
    } else if (controllers.find(",memory,") != std::string::npos) {
      TightenAll(mount + "/memory", path, kVersion1, room);
    }
  }
  return room;
}

}  // namespace nemo
