#include "libcore/serve/http_engine.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/serve/http_answer.h"

namespace nemo {
namespace {

/// The connection that this thread serves: httplib hands its handlers the request alone.
thread_local HttpConnection* this_connection = nullptr;

/// Bodies that httplib unpacks.
constexpr std::array<std::string_view, 3> kCodings = {"gzip", "deflate", "br"};

/// Its name at httplib; "identity" for none; empty for one that it does not know.
std::string_view CodingOf(const RequestHead& head) {
  std::string coding(head.Find("content-encoding"));
  std::transform(coding.begin(), coding.end(), coding.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (coding.empty() || coding == "identity") return "identity";
  if (coding == "x-gzip") return kCodings[0];
  const auto it = std::find(kCodings.begin(), kCodings.end(), coding);
  return it == kCodings.end() ? std::string_view() : *it;
}

bool TakesBody(std::string_view method) {
  return method == "PUT" || method == "POST" || method == "PATCH";
}

HttpHead HeadOf(const HttpConnection& connection) {
  HttpHead head;
  head.method = connection.head.method;
  head.path = connection.path;
  head.content_type = connection.head.Find("content-type");
  head.authorization = connection.head.Find("authorization");
  head.request_id = connection.head.Find("x-request-id");
  int port = 0;
  connection.get_remote_ip_and_port(head.peer, port);
  return head;
}

/// Sets the body, or the provider of a stream.
void SetContent(HttpAnswer& answer, httplib::Response& response) {
  if (answer.stream == nullptr) {
    response.set_content(answer.reply.body, answer.reply.content_type);
    return;
  }
  auto provide = [stream = answer.stream](size_t, httplib::DataSink& sink) {
    std::string bytes;
    const bool goes_on = stream->Next(&bytes);
    if (!bytes.empty() && !sink.write(bytes.data(), bytes.size())) return false;
    if (!goes_on) sink.done();
    return true;
  };
  if (!this_connection->head.is_http_1_0) {
    return response.set_chunked_content_provider(answer.reply.content_type, std::move(provide));
  }
  // Without chunks the end of the connection is the end of the answer (RFC 9112, 6.3).
  this_connection->must_close = true;
  response.set_content_provider(answer.reply.content_type, std::move(provide));
}

void SetAnswer(HttpAnswer answer, httplib::Response& response) {
  response.status = answer.reply.status;
  for (const auto& [key, value] : answer.headers) response.set_header(key, value);
  SetContent(answer, response);
  if (this_connection->must_close) response.set_header("Connection", "close");
  this_connection->is_answered = true;
  this_connection->finish = std::move(answer.finish);
}

}  // namespace

HttpEngine::HttpEngine(const HttpLimits& limits, HttpHandler& handler, int listen_fd)
    : limits_(limits), handler_(handler) {
  svr_sock_ = listen_fd;
  set_payload_max_length(SIZE_MAX);
  set_expect_100_continue_handler([this](const httplib::Request&, httplib::Response& response) {
    if (!BeforeBody(response)) return 100;
    // Only errors are given their length there.
    if (response.status < 400) {
      response.set_header("Content-Length", std::to_string(response.body.size()));
    }
    return response.status;
  });
  set_pre_routing_handler([this](const httplib::Request&, httplib::Response& response) {
    return BeforeBody(response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
  });
  const auto with_body = [this](const httplib::Request&, httplib::Response& response,
                                const httplib::ContentReader& reader) {
    WithBody(reader, response);
  };
  Put("/", with_body).Post("/", with_body).Patch("/", with_body);
  set_error_handler(Handler([this](const httplib::Request&, httplib::Response& response) {
    if (!this_connection->is_answered) Refuse(response.status, "not HTTP as we know it", response);
  }));
  set_exception_handler(
      [this](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
        Refuse(500, "out of memory, or an error of ours", response);
      });
}

bool HttpEngine::ServeOne(HttpConnection& connection) {
  if (!TakeHead(connection)) return false;
  this_connection = &connection;
  bool is_closed = false;
  const bool is_written = process_request(
      connection, false, is_closed, [&](httplib::Request& request) { SetUp(connection, request); });
  this_connection = nullptr;
  if (connection.finish) {
    std::exchange(connection.finish, nullptr)(is_written && !connection.has_failed());
  }
  if (connection.must_close) connection.Linger();
  return is_written && !is_closed && !connection.must_close && !connection.has_failed();
}

bool HttpEngine::TakeHead(HttpConnection& connection) {
  using Arrival = HttpConnection::Arrival;
  const Arrival arrival = connection.ReceiveHead(limits_.read_timeout);
  if (arrival == Arrival::kNone) return false;
  HeadFault fault;
  if (arrival == Arrival::kLate) {
    fault = {408, Format("the request did not arrive within {} s", limits_.read_timeout.count())};
  } else if (arrival == Arrival::kTooLarge) {
    fault = {431, Format("the head is larger than {} bytes", kMaxHeadBytes)};
  } else {
    auto head = ParseRequestHead(connection.head_bytes());
    if (auto* good = std::get_if<RequestHead>(&head)) {
      connection.head = std::move(*good);
      return true;
    }
    fault = std::get<HeadFault>(std::move(head));
  }
  HttpHead head;
  head.method = fault.method;
  head.path = fault.path;
  int port = 0;
  connection.get_remote_ip_and_port(head.peer, port);
  SayNo(connection, head, fault.http_status, fault.message);
  connection.Linger();
  return false;
}

void HttpEngine::SayNo(HttpConnection& connection, const HttpHead& head, int status,
                       const std::string& message) {
  const HttpAnswer answer = handler_.Refuse(head, status, message);
  const std::string bytes = LastAnswerBytes(answer);
  const bool is_sent = connection.write(bytes.data(), bytes.size()) >= 0;
  if (answer.finish) answer.finish(is_sent);
}

void HttpEngine::SetUp(HttpConnection& connection, httplib::Request& request) const {
  connection.BeginBody(limits_.max_request_bytes);
  // Routes are the handler's; httplib looks for its own with a regular expression.
  connection.path = std::exchange(request.path, "/");
  // It would take a form apart; no API has one.
  request.headers.erase("Content-Type");
  // Answers are short or grow; nobody needs them packed or in parts.
  request.headers.erase("Accept-Encoding");
  request.ranges.clear();
  const std::string_view coding = CodingOf(connection.head);
  request.headers.erase("Content-Encoding");
  if (coding != "identity") request.set_header("Content-Encoding", std::string(coding));
}

void HttpEngine::Refuse(int status, const std::string& message, httplib::Response& response) {
  this_connection->must_close = true;  // what the client sends on is not a request
  SetAnswer(handler_.Refuse(HeadOf(*this_connection), status, message), response);
}

bool HttpEngine::BeforeBody(httplib::Response& response) {
  const RequestHead& head = this_connection->head;
  this_connection->must_close = head.has_body();
  if (auto answer = handler_.Check(HeadOf(*this_connection))) {
    SetAnswer(*std::move(answer), response);
    return true;
  }
  if (head.content_length > limits_.max_request_bytes) {
    Refuse(413, TooLarge(), response);
    return true;
  }
  if (!head.has_body() || !TakesBody(head.method)) {
    Answer("", response);
    return true;
  }
  if (CodingOf(head).empty()) {
    Refuse(415,
           Format("Content-Encoding {}: this server unpacks gzip, deflate and br",
                  head.Find("content-encoding")),
           response);
    return true;
  }
  this_connection->must_close = false;
  return false;
}

std::string HttpEngine::TooLarge() const {
  return Format("the body is larger than {} bytes, the limit of this server (--max-request-bytes)",
                limits_.max_request_bytes);
}

void HttpEngine::WithBody(const httplib::ContentReader& reader, httplib::Response& response) {
  std::string body;
  bool is_too_large = false;
  const bool is_whole = reader([&](const char* data, size_t size) {
    is_too_large = body.size() + size > static_cast<size_t>(limits_.max_request_bytes);
    if (!is_too_large) body.append(data, size);
    return !is_too_large;
  });
  const ChunkCheck::Verdict chunks = this_connection->chunk_verdict();
  if (is_too_large || chunks == ChunkCheck::Verdict::kTooLarge) {
    return Refuse(413, TooLarge(), response);
  }
  if (chunks == ChunkCheck::Verdict::kMalformed) {
    return Refuse(400, "the body is not in chunks as HTTP/1.1 has them", response);
  }
  if (this_connection->is_late()) {
    return Refuse(408,
                  Format("the request did not arrive within {} s", limits_.read_timeout.count()),
                  response);
  }
  if (!is_whole) {
    const std::string_view coding = CodingOf(this_connection->head);
    return Refuse(400,
                  coding == "identity"
                      ? "the body ends before its end"
                      : Format("the body ends before its end, or is no {}", coding),
                  response);
  }
  Answer(body, response);
}

void HttpEngine::Answer(const std::string& body, httplib::Response& response) {
  HttpConnection* connection = this_connection;
  SetAnswer(
      handler_.Handle(HeadOf(*connection), body, [connection] { return connection->has_left(); }),
      response);
}

}  // namespace nemo
