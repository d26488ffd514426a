// Landlock: the process gives up every file outside a list, for good. Raw system calls: glibc has
// no wrappers, and the headers of the distributions are older than the kernels they run on.
// Source of the facts: the kernel's Documentation/userspace-api/landlock.rst.
#pragma once

#include <string>
#include <vector>

namespace nemo {

/// The version of the kernel's Landlock; 0 where there is none.
int LandlockAbi();

/// Leaves the process only: reading and executing below `readable`, everything but devices below
/// `writable` (not when empty), and /dev/null; no TCP (ABI 4), no signals to and no abstract
/// sockets of processes outside (ABI 6). Paths that are not there, or symbolic links, are left out.
/// Needs no_new_privs. 0, or an errno. Only system calls: for a child before exec.
int RestrictFiles(const std::vector<std::string>& readable, const std::string& writable);

}  // namespace nemo
