// Whether the processes of the other ranks on this machine still live. No transport says so: to a
// message that never comes, a dead sender looks like a slow one.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace nemo {

struct PeerProcess {
  int rank = 0;  ///< in the world
  int64_t pid = 0;
};

/// Looks at the process table. Peers whose process cannot be seen from here (another machine, a
/// container of its own) are not watched. Not thread-safe.
class PeerWatch {
 public:
  PeerWatch() = default;
  explicit PeerWatch(const std::vector<PeerProcess>& peers);

  /// A watched peer that has ended, killed or not. Looks at most every 50 ms.
  std::optional<PeerProcess> FindDead();
  int64_t num_watched() const { return std::ssize(peers_); }

 private:
  std::vector<PeerProcess> peers_;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace nemo
