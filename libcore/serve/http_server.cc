#include "libcore/serve/http_server.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <thread>

#include <httplib.h>

#include "libcore/base/format.h"
#include "libcore/serve/http_connection.h"

namespace nemo {
namespace {

constexpr size_t kMaxHeadBytes = 65536;
constexpr int kGlanceMs = 100;
constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: "
    "close\r\n\r\n";

/// The connection that this thread serves: httplib hands its handlers the request alone.
thread_local HttpConnection* this_connection = nullptr;

HttpHead HeadOf(const httplib::Request& request) {
  HttpHead head;
  head.method = request.method;
  head.path = request.path;
  head.content_type = request.get_header_value("Content-Type");
  head.authorization = request.get_header_value("Authorization");
  head.request_id = request.get_header_value("X-Request-Id");
  head.peer = request.remote_addr;
  return head;
}

/// Sets the body, or the provider of a stream.
void SetContent(HttpAnswer& answer, httplib::Response& response) {
  if (answer.stream == nullptr) {
    response.set_content(answer.reply.body, answer.reply.content_type);
    return;
  }
  response.set_chunked_content_provider(
      answer.reply.content_type, [stream = answer.stream](size_t, httplib::DataSink& sink) {
        std::string bytes;
        const bool goes_on = stream->Next(&bytes);
        if (!bytes.empty() && !sink.write(bytes.data(), bytes.size())) return false;
        if (!goes_on) sink.done();
        return true;
      });
}

void SetAnswer(HttpAnswer answer, httplib::Response& response) {
  response.status = answer.reply.status;
  for (const auto& [key, value] : answer.headers) response.set_header(key, value);
  SetContent(answer, response);
  if (this_connection->must_close) response.set_header("Connection", "close");
  this_connection->is_answered = true;
  this_connection->finish = std::move(answer.finish);
}

/// Our part of httplib's server: everything but its sockets.
class HttpEngine final : public httplib::Server {
 public:
  HttpEngine(const HttpLimits& limits, HttpHandler& handler, int listen_fd)
      : limits_(limits), handler_(handler) {
    svr_sock_ = listen_fd;  // streams end when it has none
    set_payload_max_length(SIZE_MAX);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return BeforeBody(request, response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
    const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                  const httplib::ContentReader& reader) {
      WithBody(request, response, reader);
    };
    const char* anything = "[\\s\\S]*";
    Put(anything, with_body).Post(anything, with_body);
    Patch(anything, with_body).Delete(anything, with_body);
    set_error_handler(Handler([this](const httplib::Request& request, httplib::Response& response) {
      if (this_connection->is_answered) return;
      const int status = response.status;
      Refuse(HeadOf(request), status,
             status == 414 ? "the URL is too long" : "not HTTP as we know it", response);
    }));
    set_exception_handler([this](const httplib::Request& request, httplib::Response& response,
                                 const std::exception_ptr&) {
      Refuse(HeadOf(request), 500, "out of memory, or an error of ours", response);
    });
  }

  /// One request and its answer. False: the connection is to end.
  bool ServeOne(HttpConnection& connection) {
    connection.BeginRequest(limits_.read_timeout, kMaxHeadBytes);
    this_connection = &connection;
    bool is_closed = false;
    const bool is_written =
        process_request(connection, false, is_closed, [&](httplib::Request& request) {
          // Chunks of a body have heads and tails.
          connection.AllowBody(static_cast<size_t>(limits_.max_request_bytes) * 2 + kMaxHeadBytes);
          // Answers are short or grow; nobody needs them packed or in parts.
          request.headers.erase("Accept-Encoding");
          request.ranges.clear();
        });
    this_connection = nullptr;
    if (connection.finish) {
      std::exchange(connection.finish, nullptr)(is_written && !connection.has_failed());
    }
    if (connection.must_close) connection.Linger();
    return is_written && !is_closed && !connection.must_close && !connection.has_failed();
  }

 private:
  void Refuse(const HttpHead& head, int status, const std::string& message,
              httplib::Response& response) {
    this_connection->must_close = true;  // what the client sends on is not a request
    SetAnswer(handler_.Refuse(head, status, message), response);
  }

  /// True: answered. A body that is there is not read then, so the connection ends.
  bool BeforeBody(const httplib::Request& request, httplib::Response& response) {
    const HttpHead head = HeadOf(request);
    const std::string length = request.get_header_value("Content-Length");
    const bool is_chunked = request.has_header("Transfer-Encoding");
    const bool has_body = is_chunked || (!length.empty() && length != "0");
    const bool takes_body = request.method == "PUT" || request.method == "POST" ||
                            request.method == "PATCH" || request.method == "DELETE";
    if (has_body) this_connection->must_close = true;
    if (auto answer = handler_.Check(head)) {
      SetAnswer(*std::move(answer), response);
      return true;
    }
    if (!is_chunked && has_body && !CheckLength(head, length, response)) return true;
    // httplib would take a form apart; no API has one.
    if (has_body && takes_body && !request.is_multipart_form_data()) {
      this_connection->must_close = false;
      return false;
    }
    Answer(head, "", response);
    return true;
  }

  bool CheckLength(const HttpHead& head, const std::string& length, httplib::Response& response) {
    const bool is_number = length.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) {
      Refuse(head, 400, "Content-Length is no number", response);
      return false;
    }
    if (length.size() < 18 && std::stoll(length) <= limits_.max_request_bytes) return true;
    Refuse(head, 413, TooLarge(), response);
    return false;
  }

  std::string TooLarge() const {
    return Format(
        "the body is larger than {} bytes, the limit of this server (--max-request-bytes)",
        limits_.max_request_bytes);
  }

  void WithBody(const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& reader) {
    const HttpHead head = HeadOf(request);
    std::string body;
    bool is_too_large = false;
    const bool is_whole = reader([&](const char* data, size_t size) {
      is_too_large = body.size() + size > static_cast<size_t>(limits_.max_request_bytes);
      if (!is_too_large) body.append(data, size);
      return !is_too_large;
    });
    if (is_too_large) return Refuse(head, 413, TooLarge(), response);
    if (this_connection->is_late()) {
      return Refuse(head, 408,
                    Format("the request did not arrive within {} s", limits_.read_timeout.count()),
                    response);
    }
    if (!is_whole) return Refuse(head, 400, "the body ends before its end", response);
    Answer(head, body, response);
  }

  void Answer(const HttpHead& head, const std::string& body, httplib::Response& response) {
    HttpConnection* connection = this_connection;
    SetAnswer(handler_.Handle(head, body, [connection] { return connection->has_left(); }),
              response);
  }

  const HttpLimits limits_;
  HttpHandler& handler_;
};

class SocketServer final : public HttpServer {
 public:
  SocketServer(std::unique_ptr<Listener> listener, const HttpLimits& limits, HttpHandler& handler)
      : listener_(std::move(listener)),
        limits_(limits),
        engine_(limits, handler, listener_->fd()),
        acceptor_([this] { Accept(); }) {}

  ~SocketServer() override {
    StopAccepting();
    for (Worker& worker : workers_) {
      if (!worker.is_done) worker.connection.Shutdown();
    }
    for (Worker& worker : workers_) worker.thread.join();
  }

  void StopAccepting() override {
    is_ending_ = true;
    if (acceptor_.joinable()) acceptor_.join();
    ::shutdown(listener_->fd(), SHUT_RDWR);
  }

  bool WaitForEnd(std::chrono::steady_clock::time_point until) override {
    std::unique_lock lock(mutex_);
    return ended_.wait_until(lock, until, [this] { return num_connections_ == 0; });
  }

  int64_t num_connections() const override { return num_connections_; }

 private:
  struct Worker {
    Worker(Descriptor fd, std::chrono::seconds timeout) : connection(std::move(fd), timeout) {}
    HttpConnection connection;
    std::atomic<bool> is_done = false;
    std::thread thread;
  };

  void Accept() {
    while (!is_ending_) {
      std::erase_if(workers_, [](Worker& worker) {
        if (worker.is_done) worker.thread.join();
        return worker.is_done.load();
      });
      pollfd entry = {listener_->fd(), POLLIN, 0};
      if (::poll(&entry, 1, kGlanceMs) > 0) AcceptOne();
    }
  }

  void AcceptOne() {
    Descriptor fd(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (fd.get() < 0) {
      // No descriptors are left, or the client has gone; the poll would return at once again.
      std::this_thread::sleep_for(std::chrono::milliseconds(kGlanceMs));
      return;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (num_connections_ >= limits_.max_connections) {
      ::send(fd.get(), kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    ++num_connections_;
    Worker& worker = workers_.emplace_back(std::move(fd), limits_.write_timeout);
    try {
      worker.thread = std::thread([this, &worker] { Serve(worker); });
    } catch (const std::system_error&) {  // no more threads
      --num_connections_;
      workers_.pop_back();
    }
  }

  void Serve(Worker& worker) {
    const auto should_end = [this] { return is_ending_.load(); };
    while (worker.connection.WaitForRequest(limits_.keep_alive_timeout, should_end) &&
           engine_.ServeOne(worker.connection)) {
    }
    worker.connection.Shutdown();
    const std::lock_guard lock(mutex_);
    --num_connections_;
    worker.is_done = true;
    ended_.notify_all();
  }

  const std::unique_ptr<Listener> listener_;
  const HttpLimits limits_;
  HttpEngine engine_;
  std::atomic<bool> is_ending_ = false;
  std::atomic<int64_t> num_connections_ = 0;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<Worker> workers_;  // of the acceptor, and of the destructor when that has ended
  std::thread acceptor_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(std::unique_ptr<Listener> listener,
                                                      const HttpLimits& limits,
                                                      HttpHandler& handler) {
  NEMO_RETURN_IF_ERROR(listener->Listen());
  return std::unique_ptr<HttpServer>(new SocketServer(std::move(listener), limits, handler));
}

}  // namespace nemo
