// ServeStats: what a server counts, and how it tells that: /metrics in the text format of
// Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "libcore/runtime/request_runner.h"

namespace nemo {

/// How many of what was seen were at most so many seconds.
class Histogram {
 public:
  static constexpr std::array<double, 14> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                     0.25,  0.5,    1,     2.5,  10,    60,   600};
  void Observe(double seconds);
  void AppendTo(std::string* out, std::string_view name, std::string_view help) const;

 private:
  std::array<int64_t, kBounds.size() + 1> counts_ = {};
  double sum_ = 0;
};

/// Thread-safe.
class ServeStats {
 public:
  /// A request on `route` ended with an HTTP status. Routes are few; 0: the client had hung up.
  void CountRequest(std::string_view route, int status, double seconds);
  void CountHangUp();
  void CountFirstToken(double seconds);
  void CountTokens(int64_t prompt, int64_t generated);
  /// A step of the model, the turn of the server around it, and the CPU time of the loop's thread
  /// in that turn beside the step.
  void CountStep(double step_seconds, double turn_seconds, double own_cpu_seconds);
  void SetLoad(const GeneratorLoad& load, const Scheduler::Counts& counts);

  GeneratorLoad load() const;
  /// `num_queued` requests wait; `num_connections` are open.
  std::string ToText(int64_t num_queued, int64_t num_connections, bool is_ready) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t, std::less<>> requests_;
  Histogram first_token_, duration_;
  int64_t num_hang_ups_ = 0, prompt_tokens_ = 0, generated_tokens_ = 0, num_steps_ = 0;
  double step_seconds_ = 0, turn_seconds_ = 0, own_cpu_seconds_ = 0;
  GeneratorLoad load_;
  Scheduler::Counts counts_;
};

}  // namespace nemo
