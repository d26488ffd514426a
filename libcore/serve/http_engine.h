// HttpEngine: one HTTP request of a connection and its answer. The door of cpp-httplib, which reads
// bodies and writes answers; what a head says is read by request_head.h, since httplib is lenient.
// Behind http_server.h.
#pragma once

#include <string>

#include <httplib.h>

#include "libcore/serve/http_connection.h"
#include "libcore/serve/http_handler.h"
#include "libcore/serve/http_server.h"

namespace nemo {

/// Serves many connections at once, each in a thread of its own.
class HttpEngine final : public httplib::Server {
 public:
  /// `listen_fd` is whatever is no negative number: httplib's streams end when it has none.
  HttpEngine(const HttpLimits& limits, HttpHandler& handler, int listen_fd);

  /// Waits for a request that has begun, and answers it. False: the connection is to end.
  bool ServeOne(HttpConnection& connection);
  /// Says no to a request that was not read, or to one that there is no room for; the connection is
  /// to end. `head` is what is known of it.
  void SayNo(HttpConnection& connection, const HttpHead& head, int status,
             const std::string& message);

 private:
  /// The head of the next request. False: there is none, or it was answered.
  bool TakeHead(HttpConnection& connection);
  void SetUp(HttpConnection& connection, httplib::Request& request) const;
  void Refuse(int status, const std::string& message, httplib::Response& response);
  /// True: answered. A body that is there is not read then, so the connection ends.
  bool BeforeBody(httplib::Response& response);
  void WithBody(const httplib::ContentReader& reader, httplib::Response& response);
  void Answer(const std::string& body, httplib::Response& response);
  std::string TooLarge() const;

  const HttpLimits limits_;
  HttpHandler& handler_;
};

}  // namespace nemo
