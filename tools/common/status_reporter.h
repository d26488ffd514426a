// StatusReporter: answers those who ask a running job how far it is. SIGUSR1 gets one line on
// standard error, as dd's does; --status-file keeps a small JSON object.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "libcore/base/direct_io.h"
#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/common/job_progress.h"

namespace nemo {

/// What does not change while a job runs.
struct JobIdentity {
  std::string tool;
  std::string host;
  int64_t pid = 0;
  int64_t started = 0;  ///< seconds since 1970
};
JobIdentity IdentityOf(std::string tool);

/// How a job ended.
struct JobEnd {
  int exit_code = 0;
  std::string message;  ///< what went wrong; empty when nothing did
};

/// {"tool", "pid", "host", "state": "running" | "finished" | "stopped" | "failed", "phase", "done",
/// "total", "unit", "rate", "seconds_left", "remark", "started", "updated", "finished",
/// "exit_code", "message"}: what is not known is null; times are "2026-11-26T19:17:28Z", rates
/// units per second. `end` null: it runs.
Value StatusValue(const JobIdentity& job, const JobState& state, int64_t now, const JobEnd* end);

/// One for a process. Has a thread of its own, so that a job that waits for a disk answers, too.
class StatusReporter {
 public:
  struct Options {
    std::string tool;
    std::string file;                          ///< of --status-file; empty: none
    std::FILE* stream = stderr;                ///< where the answer to SIGUSR1 goes
    bool breaks_line = false;                  ///< a progress line without an end may stand there
    std::chrono::milliseconds interval{1000};  ///< between two states of the file
  };
  /// Writes the file for the first time, and takes over SIGUSR1. `progress` outlives this.
  /// kInvalidArgument: something other than a file is in the way. kIo: it cannot be written.
  static Result<std::unique_ptr<StatusReporter>> Start(Options options,
                                                       const JobProgress& progress);
  /// Writes the file for the last time, unless End has. SIGUSR1 does nothing from now on.
  ~StatusReporter();
  StatusReporter(const StatusReporter&) = delete;
  StatusReporter& operator=(const StatusReporter&) = delete;

  /// The job has ended. kIo: the file could not be written.
  Status End(const JobEnd& end);

 private:
  StatusReporter(Options options, const JobProgress& progress);

  void Run();
  void StopThread();
  Status WriteFile(const JobEnd* end) const;

  const Options options_;
  const JobIdentity job_;
  const JobProgress& progress_;
  Descriptor stop_;  // an eventfd, readable when the thread shall end
  std::thread thread_;
};

/// SIGUSR1 does not end this process from now on, and does nothing else: for ranks that do not
/// speak.
void IgnoreStatusSignal();

}  // namespace nemo
