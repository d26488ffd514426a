#include "kernels/comm/peer_watch.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <unistd.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr std::chrono::milliseconds kInterval{50};

/// A process that has ended stays in the table as a zombie until its parent looks at it.
bool IsZombie(int64_t pid) {
  std::ifstream file(Format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return false;
  // "pid (name) state ...", and a name may contain anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return false;
  const char state = text[name_end + 2];
  return state == 'Z' || state == 'X';
}

bool IsAlive(int64_t pid) {
  if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return false;
  return !IsZombie(pid);
}

}  // namespace

PeerWatch::PeerWatch(const std::vector<PeerProcess>& peers) {
  for (const PeerProcess& peer : peers) {
    if (peer.pid > 0 && peer.pid != getpid() && IsAlive(peer.pid)) peers_.push_back(peer);
  }
}

std::optional<PeerProcess> PeerWatch::FindDead() {
  const auto now = std::chrono::steady_clock::now();
  if (peers_.empty() || now < next_look_) return std::nullopt;
  next_look_ = now + kInterval;
  const auto dead =
      std::ranges::find_if(peers_, [](const PeerProcess& peer) { return !IsAlive(peer.pid); });
  if (dead == peers_.end()) return std::nullopt;
  return *dead;
}

}  // namespace nemo
