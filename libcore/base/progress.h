// Progress as an interface, so that libraries report and only the roof prints.
#pragma once

#include <cstdint>
#include <string_view>

namespace nemo {

/// Receives how far a long piece of work is. Add may be called from any thread.
class Progress {
 public:
  virtual ~Progress() = default;
  /// Work begins: `unit` is "B" for bytes or a plural noun ("tensors", "tokens").
  virtual void Start(std::string_view what, int64_t total, std::string_view unit) = 0;
  virtual void Add(int64_t amount) = 0;
  /// Another figure worth showing beside the amount, such as a second speed; the last one counts.
  virtual void Remark(std::string_view /*text*/) {}
  virtual void Finish() = 0;
};

/// Swallows everything.
Progress& NullProgress();

/// True once a stop was asked for (SIGINT, SIGTERM); long loops look at it and return.
bool StopRequested();
/// Async-signal-safe: called by the roof's signal handler.
void RequestStop(int signal_number);
/// The signal that asked, 0 when none did.
int StopSignal();

}  // namespace nemo
