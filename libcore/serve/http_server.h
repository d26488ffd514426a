// HttpServer: connections, HTTP, and the limits that keep one client from hurting the others.
// cpp-httplib reads bodies and writes answers (http_engine.h); sockets, time and heads are ours,
// because it has no limit for a whole request, does not tell when a client leaves, and is lenient.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "libcore/base/status.h"
#include "libcore/serve/http_handler.h"
#include "libcore/serve/listener.h"

namespace nemo {

struct HttpLimits {
  int64_t max_request_bytes = int64_t{16} << 20;  ///< of a body, also after it was unpacked
  int64_t max_connections = 512;
  std::chrono::seconds read_timeout{30};        ///< from the first byte of a request to its last
  std::chrono::seconds write_timeout{30};       ///< for a client to take a part of an answer
  std::chrono::seconds keep_alive_timeout{60};  ///< between requests
};

class HttpServer {
 public:
  /// Listens, and answers from now on with `handler`, which must live as long. kIo.
  static Result<std::unique_ptr<HttpServer>> Start(std::unique_ptr<Listener> listener,
                                                   const HttpLimits& limits, HttpHandler& handler);
  virtual ~HttpServer() = default;  ///< ends what is left of the connections
  /// New connections are refused, idle ones end; requests under way go on.
  virtual void StopAccepting() = 0;
  /// True when all connections have ended, false when some have not until `until`.
  virtual bool WaitForEnd(std::chrono::steady_clock::time_point until) = 0;
  virtual int64_t num_connections() const = 0;
};

}  // namespace nemo
