#include "libcore/serve/serve_stats.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {
namespace {

void AppendHead(std::string* out, std::string_view name, std::string_view type,
                std::string_view help) {
  *out += Format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

template <typename Number>
void AppendCounter(std::string* out, std::string_view name, Number number, std::string_view help) {
  AppendHead(out, name, "counter", help);
  *out += Format("{} {}\n", name, number);
}

void AppendGauge(std::string* out, std::string_view name, int64_t number, std::string_view help) {
  AppendHead(out, name, "gauge", help);
  *out += Format("{} {}\n", name, number);
}

}  // namespace

void Histogram::Observe(double seconds) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts_[bound - kBounds.begin()];
  sum_ += seconds;
}

void Histogram::AppendTo(std::string* out, std::string_view name, std::string_view help) const {
  AppendHead(out, name, "histogram", help);
  int64_t num_below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    num_below += counts_[i];
    *out += Format("{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], num_below);
  }
  num_below += counts_.back();
  *out += Format("{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, num_below, name,
                 sum_, name, num_below);
}

void ServeStats::CountRequest(std::string_view route, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
  duration_.Observe(seconds);
}

void ServeStats::CountHangUp() {
  const std::lock_guard lock(mutex_);
  ++num_hang_ups_;
}

void ServeStats::CountFirstToken(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.Observe(seconds);
}

void ServeStats::CountTokens(int64_t prompt, int64_t generated) {
  const std::lock_guard lock(mutex_);
  prompt_tokens_ += prompt;
  generated_tokens_ += generated;
}

void ServeStats::CountStep(double step_seconds, double turn_seconds, double own_cpu_seconds) {
  const std::lock_guard lock(mutex_);
  ++num_steps_;
  step_seconds_ += step_seconds;
  turn_seconds_ += turn_seconds;
  own_cpu_seconds_ += own_cpu_seconds;
}

void ServeStats::SetLoad(const GeneratorLoad& load, const Scheduler::Counts& counts) {
  const std::lock_guard lock(mutex_);
  load_ = load;
  counts_ = counts;
}

GeneratorLoad ServeStats::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

std::string ServeStats::ToText(int64_t num_queued, int64_t num_connections, bool is_ready) const {
  const std::lock_guard lock(mutex_);
  std::string out;
  AppendHead(&out, "nemo_requests_total", "counter",
             "HTTP requests by route and status; code 0: the client hung up.");
  for (const auto& [key, count] : requests_) {
    out += Format("nemo_requests_total{{route=\"{}\",code=\"{}\"}} {}\n", key.first, key.second,
                  count);
  }
  AppendGauge(&out, "nemo_ready", is_ready ? 1 : 0, "1 when requests are taken.");
  AppendGauge(&out, "nemo_connections", num_connections, "Open connections.");
  AppendGauge(&out, "nemo_queue_length", num_queued, "Requests that wait for room in the batch.");
  AppendGauge(&out, "nemo_running", load_.num_running, "Requests in the batch.");
  AppendGauge(&out, "nemo_kv_pages_used", load_.kv_pages_used, "KV cache pages in use.");
  AppendGauge(&out, "nemo_kv_pages", load_.kv_pages, "KV cache pages in all.");
  AppendCounter(&out, "nemo_prompt_tokens_total", prompt_tokens_, "Of finished requests.");
  AppendCounter(&out, "nemo_generated_tokens_total", generated_tokens_, "Of finished requests.");
  AppendCounter(&out, "nemo_prefix_reused_tokens_total", counts_.reused_tokens,
                "Prompt tokens whose work was done before.");
  AppendCounter(&out, "nemo_preemptions_total", counts_.preemptions,
                "Requests that made room in the KV cache and came back.");
  AppendCounter(&out, "nemo_hang_ups_total", num_hang_ups_, "Clients that left before the answer.");
  AppendCounter(&out, "nemo_steps_total", num_steps_, "Steps of the model.");
  AppendCounter(&out, "nemo_step_seconds_total", step_seconds_, "Time in these steps.");
  AppendCounter(&out, "nemo_turn_seconds_total", turn_seconds_,
                "Time of the server's turns, the steps in them included.");
  AppendCounter(&out, "nemo_loop_cpu_seconds_total", own_cpu_seconds_,
                "CPU time of the server's loop beside the steps.");
  first_token_.AppendTo(&out, "nemo_first_token_seconds",
                        "From a request to its first token, waiting included.");
  duration_.AppendTo(&out, "nemo_request_seconds", "From a request to the end of its answer.");
  return out;
}

}  // namespace nemo
