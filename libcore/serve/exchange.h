// Exchange: what one API makes of one HTTP request, from its body to its answer. The server
// (server.h) carries bytes and runs requests; it knows no API. Implementations: nemo_api.h,
// openai_api.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/request.h"
#include "libcore/runtime/request_runner.h"

namespace nemo {

/// An answer that is known whole.
struct Reply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
};

/// One HTTP request whose parameters were accepted. Used by one thread at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// What the model has to do, at least one request. Indices below count these.
  virtual const std::vector<GenerateRequest>& requests() const = 0;
  /// The client wants the answer as it grows: OnToken, OnFinished and End are called. Otherwise
  /// Answer is.
  virtual bool streams() const { return false; }
  /// The results of all requests, in their order.
  virtual Reply Answer(std::vector<GenerateResult> results) = 0;

  /// Bytes to send now, none if empty. `event.id` means nothing here.
  virtual std::string OnToken(int64_t /*index*/, const TokenEvent& /*event*/) { return ""; }
  virtual std::string OnFinished(int64_t /*index*/, const GenerateResult& /*result*/) { return ""; }
  /// All are finished.
  virtual std::string End() { return ""; }

  /// How this API says that the request could not be done; `http_status` is 4xx or 5xx.
  virtual Reply Failure(int http_status, const std::string& message) const = 0;
  /// The same in the middle of a stream.
  virtual std::string FailureInStream(int /*http_status*/, const std::string& /*message*/) const {
    return "";
  }
};

/// A request that goes on, or the answer that ends it here.
using Opening = std::variant<std::unique_ptr<Exchange>, Reply>;

}  // namespace nemo
