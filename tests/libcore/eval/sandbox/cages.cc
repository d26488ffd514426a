#include "tests/libcore/eval/sandbox/cages.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo::testing {

std::vector<SandboxLayers> GuardingLayers() {
  std::vector<SandboxLayers> guarding;
  for (int bits = 0; bits < 8; ++bits) {
    const SandboxLayers layers{(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
    if (layers.GuardsFiles() && layers.GuardsPeers()) guarding.push_back(layers);
  }
  return guarding;
}

std::string NameOf(const SandboxLayers& layers) {
  std::string name;
  if (layers.namespaces) name += "namespaces_";
  if (layers.landlock) name += "landlock_";
  if (layers.seccomp) name += "seccomp_";
  return name.substr(0, name.size() - 1);
}

const Sandbox* CageOf(const SandboxLayers& layers, std::string* why) {
  static std::map<std::string, Result<Sandbox>> made;
  const std::string name = NameOf(layers);
  if (!made.contains(name)) made.emplace(name, Sandbox::Create({.allowed = layers}));
  const Result<Sandbox>& sandbox = made.at(name);
  if (!sandbox) {
    *why = sandbox.error().message();
    return nullptr;
  }
  *why = sandbox->description();
  return sandbox->layers() == layers ? &*sandbox : nullptr;
}

std::string VerdictOf(const Sandbox& sandbox, std::string_view program,
                      const SandboxLimits& limits) {
  const Result<Verdict> verdict = sandbox.Run(program, limits);
  if (!verdict) return Format("<{}>", verdict.error().message());
  NEMO_CHECK(verdict->passed == (verdict->result == "passed"));
  return verdict->result;
}

Bystander::Bystander() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  NEMO_CHECK(bind(listener_, generic, size) == 0 && listen(listener_, 8) == 0);
  NEMO_CHECK(getsockname(listener_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  pid_ = fork();
  NEMO_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) pause();
  }
}

Bystander::~Bystander() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(listener_);
}

bool Bystander::IsUntouched() const {
  std::ifstream status(Format("/proc/{}/status", pid_));
  bool sleeps = false, untraced = false;
  for (std::string line; std::getline(status, line);) {
    sleeps |= line.rfind("State:\tS", 0) == 0;
    untraced |= line == "TracerPid:\t0";
  }
  return sleeps && untraced;
}

bool Bystander::WasCalled() const {
  pollfd port{listener_, POLLIN, 0};
  return poll(&port, 1, 0) > 0;
}

void CollectOrphans() { NEMO_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }

bool AnythingIsLeft(int but) {
  // A child without an exit signal, as ours are made, is seen with __WALL only.
  while (waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
  }
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string pid, rest;
    if (!(file >> pid) || !std::getline(file, rest)) continue;
    // "(NAME) STATE PARENT ...", where a name may hold anything.
    std::istringstream fields(rest.substr(rest.rfind(')') + 1));
    std::string state;
    int parent = 0;
    if (fields >> state >> parent && parent == getpid() && pid != std::to_string(but)) return true;
  }
  return false;
}

}  // namespace nemo::testing
