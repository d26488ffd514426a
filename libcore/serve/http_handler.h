// HttpHandler: what a server does with HTTP requests. http_server.h carries the bytes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libcore/serve/exchange.h"

namespace nemo {

/// A request without its body.
struct HttpHead {
  std::string method;
  std::string path;  ///< decoded, without the query
  std::string content_type;
  std::string authorization;
  std::string request_id;  ///< the client's X-Request-Id
  std::string peer;        ///< its address
};

/// Bytes of an answer that grows.
class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  /// Waits for more. False: that was all.
  virtual bool Next(std::string* bytes) = 0;
};

struct HttpAnswer {
  Reply reply;  ///< its body is not used when there is a stream
  std::shared_ptr<AnswerStream> stream;
  std::vector<std::pair<std::string, std::string>> headers;
  /// Called once, when all of the answer was handed to the network, or the client had left.
  std::function<void(bool is_sent)> finish;
};

/// Called by many threads at once.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// An answer that needs no body, before one is read; nullopt: read it, then Handle.
  virtual std::optional<HttpAnswer> Check(const HttpHead& head) = 0;
  /// `has_left` tells whether the client has hung up; it may be asked until `finish`.
  virtual HttpAnswer Handle(const HttpHead& head, const std::string& body,
                            const std::function<bool()>& has_left) = 0;
  /// The server itself has to say no: 400, 408, 413, 414, 415, 431, 500, 501, 503, 505; method and
  /// path are empty where they could not be read.
  virtual HttpAnswer Refuse(const HttpHead& head, int http_status, const std::string& message) = 0;
};

}  // namespace nemo
