#include "libcore/serve/http_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace nemo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBufferBytes = 16384;
constexpr std::chrono::milliseconds kGlance{100};
constexpr std::chrono::seconds kLinger{2};
constexpr size_t kLingerBytes = size_t{64} << 20;

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000));
}

}  // namespace

HttpConnection::HttpConnection(Descriptor fd, std::chrono::seconds write_timeout)
    : fd_(std::move(fd)), write_timeout_(write_timeout), buffer_(kBufferBytes) {}

bool HttpConnection::Poll(short events, Clock::time_point deadline) const {
  pollfd entry = {fd_.get(), events, 0};
  while (true) {
    const int count = ::poll(&entry, 1, MillisecondsUntil(deadline));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

bool HttpConnection::WaitForRequest(std::chrono::seconds limit,
                                    const std::function<bool()>& should_end) {
  if (begin_ < end_) return true;
  const auto end = Clock::now() + limit;
  while (Clock::now() < end) {
    if (should_end()) return false;
    if (Poll(POLLIN, std::min<Clock::time_point>(end, Clock::now() + kGlance))) return !has_left();
  }
  return false;
}

void HttpConnection::BeginRequest(std::chrono::seconds limit, size_t max_head_bytes) {
  deadline_ = Clock::now() + limit;
  bytes_left_ = max_head_bytes;
  must_close = is_answered = is_late_ = false;
  finish = nullptr;
}

bool HttpConnection::has_left() const {
  char byte;
  const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

ssize_t HttpConnection::read(char* out, size_t size) {
  if (begin_ == end_) {
    const size_t want = std::min(buffer_.size(), bytes_left_);
    ssize_t n = 0;
    do {
      if (want == 0) return 0;
      if (!Poll(POLLIN, deadline_)) {
        is_late_ = true;
        return -1;
      }
      n = ::recv(fd_.get(), buffer_.data(), want, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return n;
    bytes_left_ -= static_cast<size_t>(n);
    begin_ = 0;
    end_ = static_cast<size_t>(n);
  }
  const size_t count = std::min(size, end_ - begin_);
  std::memcpy(out, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpConnection::write(const char* data, size_t size) {
  const auto deadline = Clock::now() + write_timeout_;
  size_t sent = 0;
  while (sent < size && !has_failed_) {
    const ssize_t n = ::send(fd_.get(), data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      sent += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      has_failed_ = !Poll(POLLOUT, deadline);
    } else {
      has_failed_ = errno != EINTR;
    }
  }
  return has_failed_ ? -1 : static_cast<ssize_t>(size);
}

void HttpConnection::Linger() {
  ::shutdown(fd_.get(), SHUT_WR);
  const auto end = Clock::now() + kLinger;
  for (size_t total = 0; total < kLingerBytes && Poll(POLLIN, end);) {
    const ssize_t n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return;
    total += static_cast<size_t>(std::max<ssize_t>(n, 0));
    if (Clock::now() >= end) return;
  }
}

void HttpConnection::Shutdown() { ::shutdown(fd_.get(), SHUT_RDWR); }

void HttpConnection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
  if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
  if (::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof(host), service,
                    sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return;
  }
  ip = host;
  port = std::atoi(service);
}

// Nobody asks.
void HttpConnection::get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}

}  // namespace nemo
