// The filter alone: calls that it must refuse, made by a process that carries it.
#include "libcore/eval/sandbox/seccomp_filter.h"

#include <cerrno>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

struct Call {
  const char* name;
  long number;
  long arguments[4];
  int expected;  ///< errno
};

/// What a process with the filter gets from the call: 0, an errno, or -1 when it was killed.
int OutcomeOf(const Call& call) {
  SeccompFilter filter = ComputingOnly();
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || InstallSeccomp(filter) != 0) _exit(255);
    const long* a = call.arguments;
    const long answer = syscall(call.number, a[0], a[1], a[2], a[3]);
    _exit(answer == -1 ? errno : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class SeccompFilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (ComputingOnly().code.empty()) GTEST_SKIP() << "no filter for this machine";
    if (OutcomeOf({"getpid", SYS_getpid, {}, 0}) == 255) GTEST_SKIP() << "seccomp is not there";
  }
};

TEST_F(SeccompFilterTest, RefusesWhatReachesOthers) {
  const long parent = getpid();
  for (const Call& call : std::vector<Call> {
         {"socket", SYS_socket, {2, 1, 0}, EPERM},
             {"socketpair of the internet", SYS_socketpair, {2, 1, 0}, EPERM},
             {"connect", SYS_connect, {}, EPERM}, {"bind", SYS_bind, {}, EPERM},
             {"ptrace", SYS_ptrace, {0}, EPERM},
             {"process_vm_readv", SYS_process_vm_readv, {parent}, EPERM},
             {"kill of the parent", SYS_kill, {parent, 0}, EPERM},
             {"kill of all", SYS_kill, {-1, 0}, EPERM},
             {"kill of the group", SYS_kill, {0, 0}, EPERM},
             {"tgkill of the parent", SYS_tgkill, {parent, parent, 0}, EPERM},
             {"tkill", SYS_tkill, {parent, 0}, EPERM},
             {"pidfd_open", SYS_pidfd_open, {parent, 0}, EPERM},
             {"prlimit of the parent", SYS_prlimit64, {parent, 0}, EPERM},
             {"setpriority", SYS_setpriority, {0, parent, 19}, EPERM},
             {"mount", SYS_mount, {}, EPERM}, {"pivot_root", SYS_pivot_root, {}, EPERM},
             {"unshare", SYS_unshare, {CLONE_NEWUSER}, EPERM}, {"setns", SYS_setns, {}, EPERM},
             {"a process", SYS_clone, {17, 0, 0, 0}, EPERM},
             {"a thread in a new namespace", SYS_clone, {CLONE_THREAD | CLONE_NEWUSER}, EPERM},
             {"clone3", SYS_clone3, {0, 0}, ENOSYS}, {"keyctl", SYS_keyctl, {0}, EPERM},
             {"add_key", SYS_add_key, {}, EPERM}, {"bpf", SYS_bpf, {0}, EPERM},
             {"perf_event_open", SYS_perf_event_open, {}, EPERM},
             {"io_uring_setup", SYS_io_uring_setup, {1}, EPERM},
             {"userfaultfd", SYS_userfaultfd, {}, EPERM},
             {"memfd_create", SYS_memfd_create, {}, EPERM},
             {"shmget", SYS_shmget, {0, 4096, 0666}, EPERM},
             {"open_by_handle_at", SYS_open_by_handle_at, {}, EPERM},
             {"personality", SYS_personality, {0}, EPERM}, {"setuid", SYS_setuid, {0}, EPERM},
             {"init_module", SYS_init_module, {}, EPERM}, {"reboot", SYS_reboot, {}, EPERM},
             {"a terminal's input (TIOCSTI)", SYS_ioctl, {0, 0x5412}, EPERM},
             {"a file's owner (F_SETOWN)", SYS_fcntl, {0, 8, parent}, EPERM},
             {"seccomp", SYS_seccomp, {}, EPERM}, {"a call that no kernel has", 900, {}, EPERM},
#if defined(__x86_64__)
             {"fork", SYS_fork, {}, EPERM}, {"vfork", SYS_vfork, {}, EPERM},
             {"getpid of x32", 0x40000000 + SYS_getpid, {}, EPERM},
#endif
       }) {
    EXPECT_EQ(OutcomeOf(call), call.expected) << call.name;
  }
}

TEST_F(SeccompFilterTest, AllowsWhatComputes) {
  int pair[2];
  for (const Call& call : std::vector<Call>{
           {"getpid", SYS_getpid, {}, 0},
           {"brk", SYS_brk, {0}, 0},
           {"a pair of sockets", SYS_socketpair, {1, 1, 0, reinterpret_cast<long>(pair)}, 0},
           {"its own limits", SYS_prlimit64, {0, 7, 0, 0}, 0},
           {"F_GETFD", SYS_fcntl, {0, 1}, 0},
       }) {
    EXPECT_EQ(OutcomeOf(call), call.expected) << call.name;
  }
}

}  // namespace
}  // namespace nemo
