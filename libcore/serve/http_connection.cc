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
constexpr int kDrainRounds = 64;  // of kBufferBytes, so that one call ends whatever is sent

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000));
}

}  // namespace

HttpConnection::HttpConnection(Descriptor fd, std::chrono::seconds write_timeout)
    : fd_(std::move(fd)), write_timeout_(write_timeout) {}

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
  // Some clients send an empty line behind a body.
  if (buffer_.find_first_not_of("\r\n", begin_) != std::string::npos) return true;
  const auto end = Clock::now() + limit;
  while (Clock::now() < end) {
    if (should_end()) return false;
    if (Poll(POLLIN, std::min<Clock::time_point>(end, Clock::now() + kGlance))) return !has_left();
  }
  return false;
}

HttpConnection::Arrival HttpConnection::ReceiveHead(std::chrono::seconds limit) {
  deadline_ = Clock::now() + limit;
  must_close = is_answered = is_late_ = is_reading_body_ = false;
  finish = nullptr;
  chunks_.reset();
  chunk_verdict_ = ChunkCheck::Verdict::kGood;
  head = {};
  buffer_.erase(0, begin_);
  begin_ = 0;
  while (true) {
    buffer_.erase(0, std::min(buffer_.find_first_not_of("\r\n"), buffer_.size()));
    const size_t end = FindHeadEnd(buffer_);
    if (end != std::string::npos && end <= kMaxHeadBytes) {
      head_ = end;
      return Arrival::kWhole;
    }
    if (buffer_.size() >= kMaxHeadBytes) return Arrival::kTooLarge;
    const ssize_t n = Receive(kBufferBytes);
    if (n <= 0) return is_late_ && !buffer_.empty() ? Arrival::kLate : Arrival::kNone;
  }
}

void HttpConnection::BeginBody(int64_t max_bytes) {
  is_reading_body_ = true;
  if (head.is_chunked) chunks_.emplace(max_bytes);
}

bool HttpConnection::has_left() const {
  char byte;
  const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

ssize_t HttpConnection::Receive(size_t size) {
  const size_t before = buffer_.size();
  buffer_.resize(before + size);
  ssize_t n = -1;
  do {
    is_late_ = !Poll(POLLIN, deadline_);
    if (!is_late_) n = ::recv(fd_.get(), buffer_.data() + before, size, 0);
  } while (n < 0 && !is_late_ && errno == EINTR);
  buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return n;
}

ssize_t HttpConnection::read(char* out, size_t size) {
  if (chunk_verdict_ != ChunkCheck::Verdict::kGood) return -1;
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
    const ssize_t n = Receive(kBufferBytes);
    if (n <= 0) return n;
  }
  const size_t count = std::min(size, buffer_.size() - begin_);
  const std::string_view bytes = std::string_view(buffer_).substr(begin_, count);
  if (is_reading_body_ && chunks_) {
    chunk_verdict_ = chunks_->Take(bytes);
    if (chunk_verdict_ != ChunkCheck::Verdict::kGood) return -1;
  }
  std::memcpy(out, bytes.data(), count);
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

void HttpConnection::EndWriting() { ::shutdown(fd_.get(), SHUT_WR); }

bool HttpConnection::Drain() {
  char bytes[kBufferBytes];
  for (int i = 0; i < kDrainRounds; ++i) {
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n == 0) return true;
    if (n < 0 && errno != EINTR) return errno != EAGAIN && errno != EWOULDBLOCK;
  }
  return false;
}

void HttpConnection::Linger() {
  EndWriting();
  const auto end = Clock::now() + kLinger;
  while (Clock::now() < end && Poll(POLLIN, end)) {
    if (Drain()) return;
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
