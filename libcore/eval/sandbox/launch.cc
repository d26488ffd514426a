#include "libcore/eval/sandbox/launch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/eval/sandbox/cage.h"
#include "libcore/eval/sandbox/wrapper.h"

namespace nemo {

namespace {

using Clock = std::chrono::steady_clock;

/// Python has this long to start, on a machine that does other work too.
constexpr std::chrono::seconds kStartLimit{60};
/// Users that no one else has: above every range that distributions hand out.
constexpr uid_t kFirstPrivateId = 0x70000000, kPrivateIds = 0x08000000;
constexpr int kNewNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read, write;
};
Result<Pipe> MakePipe(int flags) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | flags) != 0) return ErrnoError(errno, "pipe");
  return Pipe{Descriptor(fds[0]), Descriptor(fds[1])};
}

Result<std::string> RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) {
    return ErrnoError(errno, "getrandom");
  }
  return bytes;
}

/// A file in memory, without a name, read from its start.
Result<Descriptor> MemoryFileOf(std::string_view nonce, std::string_view program) {
  Descriptor file(memfd_create("program", MFD_CLOEXEC));
  for (const std::string_view part : {nonce, program}) {
    for (size_t done = 0; done < part.size();) {
      const ssize_t put = write(file.get(), part.data() + done, part.size() - done);
      if (put <= 0) return ErrnoError(errno, "the program's copy in memory");
      done += static_cast<size_t>(put);
    }
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return ErrnoError(errno, "the program's copy in memory");
  return file;
}

/// The caged process: nothing of it outlives this object.
class CagedProcess {
 public:
  /// Makes the process; it waits for Release. No exit signal: its end is nobody's SIGCHLD, and a
  /// caller that waits for any child does not take ours.
  static Result<std::unique_ptr<CagedProcess>> Start(CagePlan& plan) {
    sigset_t all, before;
    sigfillset(&all);
    // The caller's handlers must not run in the copy.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int flags = plan.layers.namespaces ? kNewNamespaces : 0;
    const auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, 0));
    if (pid == 0) EnterCage(plan);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return ErrnoError(error, "making the process");
    return std::unique_ptr<CagedProcess>(new CagedProcess(pid));
  }

  /// Process 1 of a namespace takes all others with it; elsewhere there are no others.
  ~CagedProcess() {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }
  CagedProcess(const CagedProcess&) = delete;
  CagedProcess& operator=(const CagedProcess&) = delete;

  /// The inner user is `outer_id` outside.
  Status MapUser(const CagePlan& plan) const {
    const uid_t group = plan.was_root ? plan.outer_id : getegid();
    // Only root may map groups and let the process drop its own.
    if (!plan.was_root) NEMO_RETURN_IF_ERROR(Write("setgroups", "deny"));
    NEMO_RETURN_IF_ERROR(Write("gid_map", Format("{} {} 1", kInnerId, group)));
    return Write("uid_map", Format("{} {} 1", kInnerId, plan.outer_id));
  }
  /// When memory runs out, this process is the first to go.
  void OfferToOomKiller() const { static_cast<void>(Write("oom_score_adj", "1000").ok()); }

 private:
  explicit CagedProcess(pid_t pid) : pid_(pid) {}
  Status Write(std::string_view file, std::string_view text) const {
    const std::string path = Format("/proc/{}/{}", pid_, file);
    const Descriptor out(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (out.get() < 0 || write(out.get(), text.data(), text.size()) < 0) {
      return ErrnoError(errno, path);
    }
    return OkStatus();
  }
  pid_t pid_;
};

/// A user for this run, drawn by lot: runs side by side get different ones.
uid_t PrivateId(std::string_view nonce) {
  uint32_t number;
  std::memcpy(&number, nonce.data(), sizeof number);
  return kFirstPrivateId + number % kPrivateIds;
}

/// Reads packets until one decides, or the time is over.
class VerdictReader {
 public:
  VerdictReader(int fd, std::string_view nonce, std::chrono::milliseconds limit)
      : fd_(fd), nonce_(nonce), limit_(limit), deadline_(Clock::now() + kStartLimit) {}

  Result<Verdict> Wait() {
    while (WaitForPacket()) {
      std::array<char, kPacketBytes> bytes;
      const ssize_t got = read(fd_, bytes.data(), bytes.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) break;  // nobody is left who could write
      const std::string_view packet(bytes.data(), static_cast<size_t>(got));
      if (!ready_ && packet == kReadyPacket) {
        ready_ = true;
        deadline_ = Clock::now() + limit_;
      } else if (packet.substr(0, kNonceBytes) == nonce_) {
        return Judge(packet.substr(kNonceBytes));
      }
    }
    if (!ready_) return IoError("the sandboxed Python did not start");
    return Verdict{false, "timed out"};
  }

 private:
  bool WaitForPacket() const {
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
      if (left.count() <= 0) return false;
      pollfd verdict{fd_, POLLIN, 0};
      const int found = poll(&verdict, 1, static_cast<int>(left.count()));
      if (found > 0) return true;
      if (found < 0 && errno != EINTR) return false;
    }
  }
  static Result<Verdict> Judge(std::string_view text) {
    CageFailure failure{};
    if (text.size() == sizeof failure && text[0] == kCageFailureMark) {
      std::memcpy(&failure, text.data(), sizeof failure);
      return ErrnoError(failure.error, CageStepName(static_cast<CageStep>(failure.step)));
    }
    return Verdict{text == "passed", std::string(text)};
  }

  int fd_;
  std::string_view nonce_;
  std::chrono::milliseconds limit_;
  Clock::time_point deadline_;
  bool ready_ = false;
};

CagePlan PlanCage(const Interpreter& python, const SandboxLayers& layers,
                  const SandboxLimits& limits, std::string nonce) {
  CagePlan plan;
  plan.layers = layers;
  plan.limits = limits;
  plan.trees = python.trees;
  if (layers.namespaces) plan.view = MakeFileView(python.trees, limits.scratch_bytes);
  if (layers.seccomp) plan.seccomp = ComputingOnly();
  plan.was_root = geteuid() == 0;
  plan.outer_id = plan.was_root ? PrivateId(nonce) : geteuid();
  plan.argv = {python.executable.c_str(), "-I", "-B", "-X", "utf8", "-c", kWrapper, nullptr};
  plan.nonce = std::move(nonce);
  return plan;
}

}  // namespace

Result<Verdict> RunCaged(const Interpreter& python, const SandboxLayers& layers,
                         const SandboxLimits& limits, std::string_view program) {
  NEMO_ASSIGN_OR_RETURN(std::string nonce, RandomBytes(kNonceBytes));
  CagePlan plan = PlanCage(python, layers, limits, std::move(nonce));
  NEMO_ASSIGN_OR_RETURN(Descriptor text, MemoryFileOf(plan.nonce, program));
  NEMO_ASSIGN_OR_RETURN(Pipe verdicts, MakePipe(O_DIRECT));
  NEMO_ASSIGN_OR_RETURN(Pipe release, MakePipe(0));
  Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0) return ErrnoError(errno, "/dev/null");
  plan.program_fd = text.get();
  plan.null_fd = null.get();
  plan.verdict_fd = verdicts.write.get();
  plan.parent_fd = release.read.get();
  plan.parents_own_fd = release.write.get();

  NEMO_ASSIGN_OR_RETURN(const auto process, CagedProcess::Start(plan));
  verdicts.write.Close();
  process->OfferToOomKiller();
  if (layers.namespaces) NEMO_RETURN_IF_ERROR(process->MapUser(plan));
  if (write(release.write.get(), "g", 1) != 1) return ErrnoError(errno, "releasing the process");
  return VerdictReader(verdicts.read.get(), plan.nonce, std::chrono::milliseconds(limits.wall_ms))
      .Wait();
}

}  // namespace nemo
