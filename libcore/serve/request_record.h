// RequestRecord: what is known of one HTTP request when it has ended: a line of the log, and what
// the statistics count.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "libcore/base/value.h"

namespace nemo {

struct RequestRecord {
  std::string id;  ///< X-Request-Id
  std::string peer, method, path;
  int status = 0;
  bool has_left = false;  ///< the client hung up before its answer was whole
  std::string error;      ///< why there was no answer; empty: there was
  int64_t num_requests = 0, prompt_tokens = 0, generated_tokens = 0;
  std::optional<double> queue_seconds, first_token_seconds;
  std::string body;  ///< empty unless prompts are logged
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};

/// The path where it is one of ours, else "other": statistics must not grow with what clients send.
std::string RouteOf(const std::string& path);

/// `client_id` where it can stand in a header and a log, else a new one.
std::string RequestId(const std::string& client_id);

/// One object: time, request_id, peer, method, path, status, ...
Value LogValue(const RequestRecord& record);

}  // namespace nemo
