#include "tools/common/status_reporter.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/exit_code.h"

namespace nemo {
namespace {

/// An eventfd that the handler of SIGUSR1 writes to; -1: nobody asks.
std::atomic<int> question_fd{-1};
static_assert(std::atomic<int>::is_always_lock_free);

/// Async-signal-safe.
void OnStatusSignal(int) {
  const int saved = errno;
  const uint64_t one = 1;
  const int fd = question_fd.load();
  if (fd >= 0) [[maybe_unused]]
    const ssize_t n = ::write(fd, &one, sizeof(one));
  errno = saved;
}

void Handle() {
  struct sigaction action = {};
  action.sa_handler = OnStatusSignal;
  action.sa_flags = SA_RESTART;  // who was waiting for a disk or a peer goes on waiting
  sigaction(SIGUSR1, &action, nullptr);
}

void Clear(int fd) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(fd, &count, sizeof(count));
}

Value TimeOf(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32] = "";
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string_view NameOf(const JobEnd* end) {
  if (end == nullptr) return "running";
  if (end->exit_code == kExitDone || end->exit_code == kExitNo) return "finished";
  return end->exit_code > kExitSignalBase ? "stopped" : "failed";
}

Value TextOrNull(const std::string& text) { return text.empty() ? Value() : Value(text); }

}  // namespace

JobIdentity IdentityOf(std::string tool) {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return {std::move(tool), host, getpid(), std::time(nullptr)};
}

Value StatusValue(const JobIdentity& job, const JobState& state, int64_t now, const JobEnd* end) {
  const bool has_phase = !state.phase.empty();
  Value value;
  value.Set("tool", job.tool);
  value.Set("pid", job.pid);
  value.Set("host", job.host);
  value.Set("state", NameOf(end));
  value.Set("phase", TextOrNull(state.phase));
  value.Set("done", has_phase ? Value(state.done) : Value());
  value.Set("total", state.total > 0 ? Value(state.total) : Value());
  value.Set("unit", TextOrNull(state.unit));
  value.Set("rate", has_phase ? Value(state.rate()) : Value());
  const double left = end == nullptr ? state.seconds_left() : -1;
  value.Set("seconds_left", left >= 0 ? Value(left) : Value());
  value.Set("remark", TextOrNull(state.remark));
  value.Set("started", TimeOf(job.started));
  value.Set("updated", TimeOf(now));
  value.Set("finished", end == nullptr ? Value() : TimeOf(now));
  value.Set("exit_code", end == nullptr ? Value() : Value(end->exit_code));
  value.Set("message", end == nullptr ? Value() : TextOrNull(end->message));
  return value;
}

StatusReporter::StatusReporter(Options options, const JobProgress& progress)
    : options_(std::move(options)), job_(IdentityOf(options_.tool)), progress_(progress) {}

Result<std::unique_ptr<StatusReporter>> StatusReporter::Start(Options options,
                                                              const JobProgress& progress) {
  const PathKind kind = options.file.empty() ? PathKind::kAbsent : KindOf(options.file);
  if (kind != PathKind::kAbsent && kind != PathKind::kFile) {
    return InvalidArgument(
        Format("--status-file {}: it is no regular file, and is not replaced", options.file));
  }
  std::unique_ptr<StatusReporter> reporter(new StatusReporter(std::move(options), progress));
  Descriptor question(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  reporter->stop_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (question.get() < 0 || reporter->stop_.get() < 0) return IoError("no file descriptor is left");
  // A signal may be on its way for as long as the process lives: this one is never closed.
  if (int expected = -1; question_fd.compare_exchange_strong(expected, question.get())) {
    question.release();
  }
  Clear(question_fd.load());  // what somebody else was asked
  Handle();
  if (Status status = reporter->WriteFile(nullptr); !status.ok()) {
    return IoError(Format("--status-file: {}", status.message()));
  }
  reporter->thread_ = std::thread([raw = reporter.get()] { raw->Run(); });
  return reporter;
}

StatusReporter::~StatusReporter() { StopThread(); }

void StatusReporter::StopThread() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void StatusReporter::Run() {
  const int timeout = options_.file.empty() ? -1 : static_cast<int>(options_.interval.count());
  pollfd entries[] = {{stop_.get(), POLLIN, 0}, {question_fd.load(), POLLIN, 0}};
  while (true) {
    const int count = ::poll(entries, std::size(entries), timeout);
    if (count < 0 && errno != EINTR) return;
    if (count > 0 && entries[0].revents != 0) return;
    if (count > 0 && entries[1].revents != 0) {
      Clear(entries[1].fd);
      const std::string line = Format("{}{}: {}\n", options_.breaks_line ? "\n" : "", options_.tool,
                                      ToText(progress_.Look()));
      std::fputs(line.c_str(), options_.stream);
      std::fflush(options_.stream);
    }
    // Of the one that cannot be written now the next may be; the last one is told.
    [[maybe_unused]] const Status status = WriteFile(nullptr);
  }
}

Status StatusReporter::End(const JobEnd& end) {
  StopThread();
  return WriteFile(&end);
}

Status StatusReporter::WriteFile(const JobEnd* end) const {
  if (options_.file.empty()) return OkStatus();
  return ReplaceFile(
      options_.file,
      ToJson(StatusValue(job_, progress_.Look(), std::time(nullptr), end), 2) + "\n");
}

void IgnoreStatusSignal() { Handle(); }

}  // namespace nemo
