#include "libcore/serve/http_server.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

#include "libcore/base/format.h"
#include "libcore/serve/http_connection.h"
#include "libcore/serve/http_engine.h"

namespace nemo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kGlanceMs = 100;
/// Clients that were sent away: how long they may take to read that, and how many may at once.
constexpr std::chrono::seconds kLeave{1};
constexpr size_t kMaxLeaving = 64;

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
  /// A client that was sent away, and may not have read that yet.
  struct Leaving {
    Leaving(Descriptor fd, Clock::time_point end) : connection(std::move(fd), {}), end(end) {}
    HttpConnection connection;
    const Clock::time_point end;
  };

  void Accept() {
    while (!is_ending_) {
      std::erase_if(workers_, [](Worker& worker) {
        if (worker.is_done) worker.thread.join();
        return worker.is_done.load();
      });
      std::erase_if(leaving_, [](Leaving& leaving) {
        return leaving.connection.Drain() || Clock::now() >= leaving.end;
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
    if (num_connections_ >= limits_.max_connections) return SendAway(std::move(fd));
    ++num_connections_;
    Worker& worker = workers_.emplace_back(std::move(fd), limits_.write_timeout);
    try {
      worker.thread = std::thread([this, &worker] { Serve(worker); });
    } catch (const std::system_error&) {  // no more threads
      --num_connections_;
      workers_.pop_back();
    }
  }

  /// Closed at once, the answer could be lost with what the client still sends.
  void SendAway(Descriptor fd) {
    if (leaving_.size() >= kMaxLeaving) leaving_.pop_front();
    HttpConnection& connection =
        leaving_.emplace_back(std::move(fd), Clock::now() + kLeave).connection;
    HttpHead head;
    int port = 0;
    connection.get_remote_ip_and_port(head.peer, port);
    engine_.SayNo(connection, head, 503,
                  Format("{} clients are connected, the limit of this server "
                         "(--max-connections); come again soon",
                         limits_.max_connections));
    connection.EndWriting();
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
  // Of the acceptor, and of the destructor when that has ended.
  std::list<Worker> workers_;
  std::list<Leaving> leaving_;
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
