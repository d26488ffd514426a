// How much memory this process may still take: asked before something large is begun that would
// otherwise be killed in the middle.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace nemo {

struct MemoryRoom {
  /// Of the machine: free, in caches that give way (proc(5), MemAvailable), and swap. -1: not
  /// known.
  int64_t machine_bytes = -1;
  /// Of the tightest cgroup around this process: its limit less what is used and would not give
  /// way. -1: there is no limit.
  int64_t cgroup_bytes = -1;
  int64_t cgroup_limit_bytes = -1;
  /// Which one that is, by device and inode: equal for all processes of a machine that share it.
  std::array<uint64_t, 2> cgroup_id = {};

  /// The smaller one; -1: neither is known.
  int64_t bytes() const;
};

/// Reads /proc and /sys/fs/cgroup (versions 1 and 2) below `root`; what is not there limits
/// nothing.
MemoryRoom AvailableMemory(const std::string& root = "");

}  // namespace nemo
