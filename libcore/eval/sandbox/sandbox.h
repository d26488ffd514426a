// The sandbox of generated code: a Python program from a model runs in a process of its own that
// may compute, and little else. Built from what Linux gives without privileges: namespaces,
// Landlock, seccomp, resource limits. docs/eval-sandbox.md says what each layer holds.
//
// Verdicts have the wording of the reference (openai/human-eval, execution.py), so that scores
// compare. What is defended, and what cannot be, stands in wrapper.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

struct Interpreter;

/// The parts of the cage that a machine may lack. Resource limits, no_new_privs, an empty
/// environment and closed descriptors are always there.
struct SandboxLayers {
  bool namespaces = true;  ///< own users, mounts, processes, network, ipc, host name
  bool landlock = true;    ///< files outside the Python tree cannot be opened
  bool seccomp = true;     ///< system calls that a computation does not need are refused

  /// Files are out of reach.
  bool GuardsFiles() const { return namespaces || landlock; }
  /// The network and other processes are out of reach, and no process is left behind.
  bool GuardsPeers() const { return namespaces || seccomp; }
  bool operator==(const SandboxLayers&) const = default;
};

struct SandboxOptions {
  /// The interpreter. Empty: python3 of PATH, then of /usr/bin. Its base installation is used, not
  /// a virtual environment's packages.
  std::string python;
  /// What may be used; less than all is for tests.
  SandboxLayers allowed;
};

struct SandboxLimits {
  int64_t wall_ms = 3000;                     ///< from the program's first statement
  int64_t memory_bytes = int64_t{4} << 30;    ///< address space of each process
  int64_t scratch_bytes = int64_t{32} << 20;  ///< its private /tmp, where it has one
};

struct Verdict {
  bool passed = false;
  /// `passed`, `timed out` or `failed: MESSAGE`. A program that ends without a verdict, whatever
  /// its exit status, `timed out`, as in the reference; so does one that needs more than
  /// memory_bytes (the reference would swap until its time is over).
  std::string result;
};

/// Runs programs. Thread-safe: several may run side by side.
class Sandbox {
 public:
  /// Finds Python and tries each layer by running a program that must not get out.
  /// kUnsupported: what holds here leaves files or peers open; the message says which layer
  /// failed and why. kNotFound: no Python 3.8 or newer. Takes about a tenth of a second a layer.
  static Result<Sandbox> Create(const SandboxOptions& options = {});

  const SandboxLayers& layers() const { return layers_; }
  /// "namespaces, landlock (ABI 7), seccomp, resource limits; Python 3.11.2 /usr/bin/python3.11",
  /// and what does not hold with the reason.
  const std::string& description() const { return description_; }

  /// Runs `program` (the whole text: prompt, completion, test, call) to its verdict. Everything it
  /// started is gone on return. The calling process is copied for a moment, as by fork(2), and
  /// may have threads. kIo: the cage could not be set up; nothing ran.
  Result<Verdict> Run(std::string_view program, const SandboxLimits& limits = {}) const;

 private:
  static Result<Sandbox> CreateWith(const std::string& python, const SandboxLayers& allowed);

  std::shared_ptr<const Interpreter> interpreter_;
  SandboxLayers layers_;
  std::string description_;
};

}  // namespace nemo
