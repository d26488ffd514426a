#include "libcore/serve/request_record.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

#include "libcore/base/format.h"
#include "libcore/serve/chance.h"

namespace nemo {
namespace {

constexpr size_t kMaxIdBytes = 128;
constexpr size_t kMaxPathBytes = 256;
constexpr std::array kRoutes = {"/",
                                "/generate",
                                "/health",
                                "/metrics",
                                "/v1/completions",
                                "/v1/completions/",
                                "/v1/chat/completions",
                                "/v1/chat/completions/",
                                "/v1/models",
                                "/v1/health",
                                "/tokenizer_info",
                                "/tokenize",
                                "/detokenize"};

std::string UtcNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  return Format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

/// Milliseconds with three digits behind the point: more would be noise.
Value Milliseconds(double seconds) {
  return Value(static_cast<double>(static_cast<int64_t>(seconds * 1e6)) / 1e3);
}

Value Milliseconds(const std::optional<double>& seconds) {
  return seconds ? Milliseconds(*seconds) : Value();
}

}  // namespace

std::string RouteOf(const std::string& path) {
  return std::find(kRoutes.begin(), kRoutes.end(), path) != kRoutes.end() ? path : "other";
}

std::string RequestId(const std::string& client_id) {
  const bool is_good =
      !client_id.empty() && client_id.size() <= kMaxIdBytes &&
      std::all_of(client_id.begin(), client_id.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
      });
  return is_good ? client_id : AnswerId("req-");
}

Value LogValue(const RequestRecord& record) {
  Value value;
  value.Set("time", UtcNow());
  value.Set("request_id", record.id);
  value.Set("peer", record.peer);
  value.Set("method", record.method);
  value.Set("path", record.path.substr(0, kMaxPathBytes));
  value.Set("status", record.status);
  value.Set("hung_up", record.has_left);
  if (!record.error.empty()) value.Set("error", record.error);
  if (record.num_requests > 0) {
    value.Set("sequences", record.num_requests);
    value.Set("prompt_tokens", record.prompt_tokens);
    value.Set("generated_tokens", record.generated_tokens);
    value.Set("queue_ms", Milliseconds(record.queue_seconds));
    value.Set("first_token_ms", Milliseconds(record.first_token_seconds));
  }
  value.Set(
      "total_ms",
      Milliseconds(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - record.begin).count()));
  if (!record.body.empty()) value.Set("body", record.body);
  return value;
}

}  // namespace nemo
