#include "libcore/eval/sandbox/seccomp_filter.h"

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace nemo {

namespace {

#if defined(__x86_64__)
constexpr uint32_t kMachine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kMachine = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kMachine = 0;
#endif

/// Calls that reach only the process itself and the files it may see.
constexpr int kAllowed[] = {
    // Files.
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_openat,
    SYS_close,
    SYS_close_range,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_symlinkat,
    SYS_linkat,
    SYS_utimensat,
    SYS_truncate,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_flock,
    SYS_fadvise64,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_umask,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    // Memory.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_msync,
    SYS_membarrier,
    // Time and waiting.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_times,
    SYS_getitimer,
    SYS_setitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_delete,
    SYS_timer_getoverrun,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_ppoll,
    SYS_pselect6,
    SYS_futex,
    SYS_restart_syscall,
    // The process and its threads.
    SYS_execve,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigsuspend,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getpgid,
    SYS_getsid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_capget,
    SYS_getrusage,
    SYS_getrlimit,
    SYS_sysinfo,
    SYS_uname,
    SYS_getcpu,
    SYS_getrandom,
    // Within a pair of sockets.
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
#if defined(__x86_64__)
    // The old spellings.
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_symlink,
    SYS_link,
    SYS_utimes,
    SYS_dup2,
    SYS_pipe,
    SYS_time,
    SYS_alarm,
    SYS_pause,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_poll,
    SYS_select,
    SYS_getpgrp,
    SYS_arch_prctl,
#endif
};

constexpr uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kNotThere = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t kCallOffset = offsetof(seccomp_data, nr);
/// The low half of an argument: the machines here are little-endian.
constexpr uint32_t ArgumentOffset(int index) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + sizeof(uint64_t) * index);
}

sock_filter Load(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
sock_filter Return(uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
/// Goes on with the next instruction when equal, else skips `skip`.
sock_filter UnlessEqualSkip(uint32_t value, uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

/// Writes the program. Every rule ends in a return, so rules do not meet.
class Writer {
 public:
  void Begin() {
    // Calls of another machine (32 bits) have other numbers.
    Put({Load(offsetof(seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kMachine, 1, 0),
         Return(SECCOMP_RET_KILL_PROCESS), Load(kCallOffset)});
  }
  void Answer(int call, uint32_t action) {
    Put({UnlessEqualSkip(static_cast<uint32_t>(call), 1), Return(action)});
  }
  /// Allows `call` when argument `index` is one of `values`.
  void AllowIf(int call, int index, std::initializer_list<uint32_t> values) {
    Put({UnlessEqualSkip(static_cast<uint32_t>(call), static_cast<uint8_t>(2 * values.size() + 2)),
         Load(ArgumentOffset(index))});
    for (const uint32_t value : values) {
      Put({UnlessEqualSkip(value, 1), Return(SECCOMP_RET_ALLOW)});
    }
    Put({Return(kRefuse)});
  }
  /// Allows `call` unless argument `index` is one of `values`.
  void AllowUnless(int call, int index, std::initializer_list<uint32_t> values) {
    Put({UnlessEqualSkip(static_cast<uint32_t>(call), static_cast<uint8_t>(2 * values.size() + 2)),
         Load(ArgumentOffset(index))});
    for (const uint32_t value : values) Put({UnlessEqualSkip(value, 1), Return(kRefuse)});
    Put({Return(SECCOMP_RET_ALLOW)});
  }
  /// Allows `call` when argument 0 is the process itself.
  void AllowOnSelf(int call) {
    filter_.own_pid.push_back(filter_.code.size() + 2);
    AllowIf(call, 0, {0});
  }
  /// Threads may be made, in the namespaces there are; processes not.
  void AllowThreads() {
    constexpr uint32_t kNew = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                              CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    Put({UnlessEqualSkip(SYS_clone, 5), Load(ArgumentOffset(0)),
         BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kNew, 2, 0),
         BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1), Return(SECCOMP_RET_ALLOW),
         Return(kRefuse)});
  }
  SeccompFilter End() {
    Put({Return(kRefuse)});
    return std::move(filter_);
  }

 private:
  void Put(std::initializer_list<sock_filter> code) {
    filter_.code.insert(filter_.code.end(), code);
  }
  SeccompFilter filter_;
};

}  // namespace

SeccompFilter ComputingOnly() {
  if (kMachine == 0) return {};
  Writer writer;
  writer.Begin();
  for (const int call : kAllowed) writer.Answer(call, SECCOMP_RET_ALLOW);
  // Its flags lie in memory, which a filter cannot read; glibc then takes clone.
  writer.Answer(SYS_clone3, kNotThere);
  writer.AllowThreads();
  writer.AllowOnSelf(SYS_kill);
  writer.AllowOnSelf(SYS_tgkill);
  writer.AllowIf(SYS_prlimit64, 0, {0});
  writer.AllowIf(SYS_ioctl, 1, {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX});
  // F_SETOWN, F_SETSIG and F_SETOWN_EX would send signals to others by way of a file.
  writer.AllowUnless(SYS_fcntl, 1, {8, 10, 15});
  writer.AllowIf(SYS_prctl, 0, {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA});
  writer.AllowIf(SYS_socketpair, 0, {AF_UNIX});
  return writer.End();
}

int InstallSeccomp(SeccompFilter& filter) {
  if (filter.code.empty()) return ENOSYS;
  for (const size_t place : filter.own_pid) filter.code[place].k = static_cast<uint32_t>(getpid());
  sock_fprog program{static_cast<uint16_t>(filter.code.size()), filter.code.data()};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &program) == 0 ? 0 : errno;
}

}  // namespace nemo
