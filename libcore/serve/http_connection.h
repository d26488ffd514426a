// HttpConnection: the bytes of one client. Keeps the time that a client may take, and sees when it
// leaves. Behind http_server.h: it knows cpp-httplib.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <httplib.h>

#include "libcore/base/direct_io.h"
#include "libcore/serve/chunk_check.h"
#include "libcore/serve/request_head.h"

namespace nemo {

/// Used by one thread; has_left() may be asked by it at any time.
class HttpConnection final : public httplib::Stream {
 public:
  HttpConnection(Descriptor fd, std::chrono::seconds write_timeout);

  /// Waits for the first byte of a request. False: none came in time, the client left, or
  /// `should_end` (asked several times a second) says so.
  bool WaitForRequest(std::chrono::seconds limit, const std::function<bool()>& should_end);
  enum class Arrival {
    kWhole,
    kTooLarge,
    kLate,
    kNone,  ///< the client left
  };
  /// A request begins: all of it must come within `limit`. Waits for its head, which `head_bytes`
  /// are then, until the first read; empty lines before it do not count.
  Arrival ReceiveHead(std::chrono::seconds limit);
  std::string_view head_bytes() const { return std::string_view(buffer_).substr(begin_, head_); }
  /// `head` is set, and its bytes are read; what follows is its body, which in chunks may have so
  /// much.
  void BeginBody(int64_t max_bytes);
  /// What is wrong with the chunks of the body; kGood when it has none.
  ChunkCheck::Verdict chunk_verdict() const { return chunk_verdict_; }
  bool has_left() const;
  bool is_late() const { return is_late_; }
  bool has_failed() const { return has_failed_; }  ///< a write did not reach the client
  /// Nothing more is sent.
  void EndWriting();
  /// Throws away what the client still sends. True: it has closed its side, too.
  bool Drain();
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
  /// httplib asks to find out whether select() could wait for it; nobody here calls that.
  socket_t socket() const override { return 0; }

  // What the request under way has become.
  RequestHead head;
  std::string path;  ///< decoded
  bool must_close = false;
  bool is_answered = false;
  std::function<void(bool)> finish;

 private:
  /// Waits until `events` or the deadline.
  bool Poll(short events, std::chrono::steady_clock::time_point deadline) const;
  /// Appends up to `size` bytes to the buffer: recv's result, -1 too late.
  ssize_t Receive(size_t size);

  Descriptor fd_;
  const std::chrono::seconds write_timeout_;
  std::string buffer_;  // what was received; from begin_ on it was not read
  size_t begin_ = 0;
  size_t head_ = 0;  // bytes of the head
  std::chrono::steady_clock::time_point deadline_;
  std::optional<ChunkCheck> chunks_;
  ChunkCheck::Verdict chunk_verdict_ = ChunkCheck::Verdict::kGood;
  bool is_reading_body_ = false, is_late_ = false, has_failed_ = false;
};

}  // namespace nemo
