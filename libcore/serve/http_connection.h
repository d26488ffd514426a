// HttpConnection: the bytes of one client. Keeps the time that a client may take, and sees when it
// leaves. Behind http_server.h: it knows cpp-httplib.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <httplib.h>

#include "libcore/base/direct_io.h"

namespace nemo {

/// Used by one thread; has_left() may be asked by it at any time.
class HttpConnection final : public httplib::Stream {
 public:
  HttpConnection(Descriptor fd, std::chrono::seconds write_timeout);

  /// Waits for the first byte of a request. False: none came in time, the client left, or
  /// `should_end` (asked several times a second) says so.
  bool WaitForRequest(std::chrono::seconds limit, const std::function<bool()>& should_end);
  /// A request begins: all of it must come within `limit`, its head within `max_head_bytes`.
  void BeginRequest(std::chrono::seconds limit, size_t max_head_bytes);
  /// The head is there; so much may follow.
  void AllowBody(size_t max_bytes) { bytes_left_ = max_bytes; }
  bool has_left() const;
  bool is_late() const { return is_late_; }
  bool has_failed() const { return has_failed_; }  ///< a write did not reach the client
  /// After an answer while the client still sends: lets it read the answer before the door closes.
  void Linger();
  void Shutdown();  ///< may be called by another thread

  // httplib::Stream.
  bool is_readable() const override { return true; }
  bool is_writable() const override { return !has_failed_ && !has_left(); }
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return fd_.get(); }

  // What the request under way has become.
  bool must_close = false;
  bool is_answered = false;
  std::function<void(bool)> finish;

 private:
  /// Waits until `events` or the deadline.
  bool Poll(short events, std::chrono::steady_clock::time_point deadline) const;

  Descriptor fd_;
  const std::chrono::seconds write_timeout_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what was received and not read
  std::chrono::steady_clock::time_point deadline_;
  size_t bytes_left_ = 0;
  bool is_late_ = false, has_failed_ = false;
};

}  // namespace nemo
