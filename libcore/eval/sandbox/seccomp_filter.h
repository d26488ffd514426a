// The list of system calls that a computing Python needs, as a seccomp program; everything else
// answers EPERM. An allow list, so that calls of future kernels are refused too.
#pragma once

#include <cstddef>
#include <linux/filter.h>
#include <vector>

namespace nemo {

struct SeccompFilter {
  std::vector<sock_filter> code;
  /// Places in `code` whose constant is the process' own id, known only to itself.
  std::vector<size_t> own_pid;
};

/// Refused among others: sockets (but pairs within the process), new processes and namespaces,
/// signals to others, ptrace, mount, keyctl, bpf, perf, io_uring, userfaultfd, memfd. Empty on
/// machines other than x86-64 and arm64.
SeccompFilter ComputingOnly();

/// Fills in the process id and installs the filter for this process and what it executes. Needs
/// no_new_privs. 0, or an errno. Only system calls: for a child before exec.
int InstallSeccomp(SeccompFilter& filter);

}  // namespace nemo
