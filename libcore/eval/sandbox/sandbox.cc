#include "libcore/eval/sandbox/sandbox.h"

#include <array>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/eval/sandbox/interpreter.h"
#include "libcore/eval/sandbox/landlock.h"
#include "libcore/eval/sandbox/launch.h"

namespace nemo {

namespace {

/// A layer, and a program that passes only where the layer holds.
struct LayerProbe {
  const char* name;
  bool SandboxLayers::*layer;
  const char* program;
};
constexpr std::array<LayerProbe, 3> kProbes = {{
    {"namespaces", &SandboxLayers::namespaces,
     "import os\n"
     "assert os.getpid() == 1, 'processes of others are seen'\n"
     "assert not os.path.exists('/proc/self'), 'files outside are seen'\n"
     "assert os.listdir('/tmp') == [], 'the folder for temporary files is shared'\n"},
    {"landlock", &SandboxLayers::landlock,
     "import os\n"
     "try: os.listdir('/')\n"
     "except PermissionError: pass\n"
     "else: raise Exception('a folder outside could be read')\n"},
    {"seccomp", &SandboxLayers::seccomp,
     "import socket\n"
     "try: socket.socket()\n"
     "except PermissionError: pass\n"
     "else: raise Exception('a socket could be opened')\n"},
}};
constexpr SandboxLimits kProbeLimits{10'000, int64_t{4} << 30, int64_t{1} << 20};

Status TryLayers(const Interpreter& python, const SandboxLayers& layers, const char* program) {
  NEMO_ASSIGN_OR_RETURN(const Verdict verdict, RunCaged(python, layers, kProbeLimits, program));
  return verdict.passed ? OkStatus() : Unsupported(verdict.result);
}

/// What holds of what is allowed, and the reasons against the rest.
struct Probed {
  SandboxLayers layers{false, false, false};
  std::vector<std::string> held, missing;
};
Probed ProbeLayers(const Interpreter& python, const SandboxLayers& allowed) {
  Probed probed;
  for (const LayerProbe& probe : kProbes) {
    // Alone, or within the namespaces: there Python may lie where an unprivileged user cannot go.
    SandboxLayers tried{probed.layers.namespaces, false, false};
    tried.*probe.layer = true;
    const Status holds =
        allowed.*probe.layer ? TryLayers(python, tried, probe.program) : Unsupported("not allowed");
    if (!holds.ok()) {
      probed.missing.push_back(Format("no {} ({})", probe.name, holds.message()));
      continue;
    }
    probed.layers.*probe.layer = true;
    probed.held.push_back(probe.layer == &SandboxLayers::landlock
                              ? Format("landlock (ABI {})", LandlockAbi())
                              : std::string(probe.name));
  }
  probed.held.emplace_back("resource limits");
  return probed;
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

Status RequireGuards(const Probed& probed) {
  if (probed.layers.GuardsFiles() && probed.layers.GuardsPeers()) return OkStatus();
  return Unsupported(Format(
      "generated code does not run here: {} not out of its reach: {}; it takes Linux 5.13 with "
      "unprivileged user namespaces, or with Landlock and seccomp",
      probed.layers.GuardsFiles() ? "the network and other processes are" : "files are",
      Join(probed.missing)));
}

}  // namespace

Result<Sandbox> Sandbox::Create(const SandboxOptions& options) {
  const std::vector<std::string> commands =
      options.python.empty() ? std::vector<std::string>{"python3", "/usr/bin/python3"}
                             : std::vector<std::string>{options.python};
  Status error;
  for (const std::string& command : commands) {
    Result<Sandbox> sandbox = CreateWith(command, options.allowed);
    if (sandbox) return sandbox;
    // A Python that is there and cannot be caged says more than one that is not there.
    if (error.ok() || sandbox.error().code() != StatusCode::kNotFound) error = sandbox.error();
  }
  return error;
}

Result<Sandbox> Sandbox::CreateWith(const std::string& python, const SandboxLayers& allowed) {
  NEMO_ASSIGN_OR_RETURN(Interpreter interpreter, DescribeInterpreter(python));
  const Probed probed = ProbeLayers(interpreter, allowed);
  NEMO_RETURN_IF_ERROR(RequireGuards(probed).At(interpreter.executable));
  // What holds alone must hold together.
  NEMO_RETURN_IF_ERROR(TryLayers(interpreter, probed.layers, "").At("all layers together"));
  Sandbox sandbox;
  sandbox.layers_ = probed.layers;
  sandbox.description_ =
      Format("{}; Python {} {}", Join(probed.held), interpreter.version, interpreter.executable);
  if (!probed.missing.empty()) sandbox.description_ += "; " + Join(probed.missing);
  sandbox.interpreter_ = std::make_shared<const Interpreter>(std::move(interpreter));
  return sandbox;
}

Result<Verdict> Sandbox::Run(std::string_view program, const SandboxLimits& limits) const {
  Result<Verdict> verdict = RunCaged(*interpreter_, layers_, limits, program);
  if (!verdict) return verdict.error().At("sandbox");
  return verdict;
}

}  // namespace nemo
