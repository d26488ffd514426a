#include "libcore/eval/sandbox/cage.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcore/eval/sandbox/landlock.h"
#include "libcore/eval/sandbox/wrapper.h"

namespace nemo {

namespace {

constexpr int kLastCapability = 63;
/// Files of one process, and its threads.
constexpr rlim_t kMaxOpenFiles = 64, kMaxThreads = 64;
/// Where no filter forbids new processes, each may have the whole address space: few.
constexpr rlim_t kMaxProcesses = 16;

int ErrnoUnless(bool ok) { return ok ? 0 : errno; }

/// The raw calls: glibc's setresuid speaks to all threads of a process, of which the copy has one
/// and believes in many.
int BecomeUser(uid_t id) {
  return ErrnoUnless(syscall(SYS_setresgid, id, id, id) == 0 &&
                     syscall(SYS_setresuid, id, id, id) == 0);
}

int WaitForParent(const CagePlan& plan) {
  close(plan.parents_own_fd);  // else the pipe would never end
  char byte = 0;
  const ssize_t got = read(plan.parent_fd, &byte, 1);
  return got == 1 ? 0 : got == 0 ? ECANCELED : errno;
}

/// Root's identity goes; its groups too.
int SetIdentity(const CagePlan& plan) {
  if (plan.was_root && syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  if (plan.layers.namespaces) return BecomeUser(kInnerId);
  return plan.was_root ? BecomeUser(plan.outer_id) : 0;
}

/// The child dies with the thread that made it, which waits for it.
int FollowParent(const CagePlan& plan) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  pollfd parent{plan.parent_fd, 0, 0};
  poll(&parent, 1, 0);
  return (parent.revents & (POLLHUP | POLLERR)) != 0 ? ECANCELED : 0;
}

/// 0 the program, 1 and 2 nowhere, 3 verdicts; no others.
int ArrangeDescriptors(CagePlan& plan) {
  constexpr int kOutOfTheWay = 10;
  for (int* fd : {&plan.program_fd, &plan.null_fd, &plan.verdict_fd}) {
    *fd = fcntl(*fd, F_DUPFD_CLOEXEC, kOutOfTheWay);
    if (*fd < 0) return errno;
  }
  const bool placed = dup2(plan.program_fd, 0) == 0 && dup2(plan.null_fd, 1) == 1 &&
                      dup2(plan.null_fd, 2) == 2 && dup2(plan.verdict_fd, kVerdictFd) == kVerdictFd;
  if (!placed) return errno;
  plan.verdict_fd = kVerdictFd;
  return ErrnoUnless(syscall(SYS_close_range, kVerdictFd + 1, ~0u, 0) == 0);
}

int Limit(int resource, rlim_t most) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return errno;
  // Never above what the caller has itself.
  most = limit.rlim_max == RLIM_INFINITY || most < limit.rlim_max ? most : limit.rlim_max;
  limit = {most, most};
  return ErrnoUnless(setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0);
}

int SetLimits(const CagePlan& plan) {
  const SandboxLimits& limits = plan.limits;
  const auto seconds = static_cast<rlim_t>(limits.wall_ms / 1000 + 2);
  // The number of processes counts for a user: ours must be nobody else's.
  const bool own_user = plan.layers.namespaces || plan.was_root;
  const std::array<std::pair<int, rlim_t>, 6> all = {{
      {RLIMIT_CORE, 0},
      {RLIMIT_CPU, seconds},
      {RLIMIT_AS, static_cast<rlim_t>(limits.memory_bytes)},
      {RLIMIT_FSIZE, static_cast<rlim_t>(limits.scratch_bytes)},
      {RLIMIT_NOFILE, kMaxOpenFiles},
      {RLIMIT_NPROC, !own_user             ? RLIM_INFINITY
                     : plan.layers.seccomp ? kMaxThreads
                                           : kMaxProcesses},
  }};
  for (const auto& [resource, most] : all) {
    if (const int error = Limit(resource, most)) return error;
  }
  return 0;
}

/// Nothing that is executed from here on gains anything, and no capability is left.
int DropPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  // EINVAL: past the kernel's last one. EPERM: there is none to drop.
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    static_cast<void>(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ErrnoUnless(syscall(SYS_capset, &header, none.data()) == 0);
}

/// As at the start of the world: exec would pass on what the caller ignores or holds back.
void ResetSignals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int Exec(const CagePlan& plan) {
  std::array<char*, 1> empty_environment = {nullptr};
  execve(plan.argv[0], const_cast<char* const*>(plan.argv.data()), empty_environment.data());
  return errno;
}

/// One packet: the nonce, then the failure.
void Report(const CagePlan& plan, CageStep step, int error) {
  std::array<char, kNonceBytes + sizeof(CageFailure)> packet{};
  const CageFailure failure{kCageFailureMark, static_cast<char>(step), error};
  std::memcpy(packet.data(), plan.nonce.data(), kNonceBytes);
  std::memcpy(packet.data() + kNonceBytes, &failure, sizeof failure);
  static_cast<void>(!write(plan.verdict_fd, packet.data(), packet.size()));
}

}  // namespace

const char* CageStepName(CageStep step) {
  switch (step) {
    case CageStep::kParent:
      return "waiting for the parent";
    case CageStep::kOpenFiles:
      return "opening the Python tree";
    case CageStep::kIdentity:
      return "becoming an unprivileged user";
    case CageStep::kFileView:
      return "entering the private root";
    case CageStep::kDescriptors:
      return "arranging descriptors";
    case CageStep::kLimits:
      return "setting resource limits";
    case CageStep::kPrivileges:
      return "dropping privileges";
    case CageStep::kLandlock:
      return "applying Landlock";
    case CageStep::kSeccomp:
      return "installing the seccomp filter";
    case CageStep::kExec:
      return "starting Python";
  }
  return "an unknown step";
}

void EnterCage(CagePlan& plan) {
  const SandboxLayers& layers = plan.layers;
  const auto must = [&](CageStep step, int error) {
    if (error == 0) return;
    Report(plan, step, error);
    _exit(1);
  };
  ResetSignals();
  must(CageStep::kParent, ErrnoUnless(setsid() >= 0));
  must(CageStep::kParent, WaitForParent(plan));
  if (layers.namespaces) {
    // Nothing that is mounted here may show outside.
    must(CageStep::kFileView,
         ErrnoUnless(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0));
    must(CageStep::kOpenFiles, OpenBound(plan.view));
  }
  must(CageStep::kIdentity, SetIdentity(plan));
  if (layers.namespaces) must(CageStep::kFileView, EnterFileView(plan.view));
  must(CageStep::kParent, FollowParent(plan));
  must(CageStep::kDescriptors, ArrangeDescriptors(plan));
  must(CageStep::kPrivileges, DropPrivileges());
  if (layers.landlock) {
    must(CageStep::kLandlock, RestrictFiles(plan.trees, layers.namespaces ? "/tmp" : ""));
  }
  must(CageStep::kLimits, SetLimits(plan));
  if (layers.seccomp) must(CageStep::kSeccomp, InstallSeccomp(plan.seccomp));
  must(CageStep::kExec, Exec(plan));
  _exit(1);
}

}  // namespace nemo
