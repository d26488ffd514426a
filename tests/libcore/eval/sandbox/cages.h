// What the sandbox tests share: a sandbox per combination of layers, and the marks of harm outside.
#pragma once

#include <string>
#include <vector>

#include "libcore/eval/sandbox/sandbox.h"

namespace nemo::testing {

/// Every combination that guards files and peers.
std::vector<SandboxLayers> GuardingLayers();
/// "namespaces_landlock": for test names.
std::string NameOf(const SandboxLayers& layers);

/// The sandbox with exactly `layers`, made once. nullptr where this machine lacks one of them; then
/// skip with `*why`.
const Sandbox* CageOf(const SandboxLayers& layers, std::string* why);

/// The verdict's text, or the error's in angle brackets.
std::string VerdictOf(const Sandbox& sandbox, std::string_view program,
                      const SandboxLimits& limits = {30'000});

/// A process of the same user that the programs must not touch, and a port that they must not
/// reach.
class Bystander {
 public:
  Bystander();
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;
  int pid() const { return pid_; }
  int port() const { return port_; }
  bool IsUntouched() const;  ///< alive, and nobody traces it
  bool WasCalled() const;    ///< somebody connected to the port

 private:
  int pid_ = -1, listener_ = -1, port_ = 0;
};

/// From now on this process inherits what its descendants leave behind.
void CollectOrphans();
/// Has this process a child, other than `but`?
bool AnythingIsLeft(int but = 0);

}  // namespace nemo::testing
