// A client of an HTTP server that sends what it likes, and an answer taken apart.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "libcore/base/direct_io.h"

namespace nemo::testing {

struct RawAnswer {
  int status = 0;                              ///< 0: none came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// One connection to 127.0.0.1. Blocking, though never longer than `kPatienceMs` without a byte.
class RawClient {
 public:
  static constexpr int kPatienceMs = 20'000;

  explicit RawClient(int port) : RawClient() { Connect(port); }
  /// Not connected yet.
  RawClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

  bool Connect(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    return is_connected_;
  }

  bool is_connected() const { return is_connected_; }
  int fd() const { return fd_.get(); }
  void Close() { fd_ = Descriptor(); }
  void EndWriting() { ::shutdown(fd_.get(), SHUT_WR); }

  /// False: the server does not take it any more.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  /// The next answer on this connection; interim answers (1xx) count.
  RawAnswer Receive(bool is_head = false) {
    RawAnswer answer;
    size_t end = 0;
    while ((end = bytes_.find("\r\n\r\n")) == std::string::npos) {
      if (!More()) return answer;
    }
    ReadHead(bytes_.substr(0, end), &answer);
    bytes_.erase(0, end + 4);
    if (is_head || answer.status < 200) return answer;
    if (answer.headers["transfer-encoding"] == "chunked") {
      while (ReadChunk(&answer)) {
      }
      return answer;
    }
    const size_t length = static_cast<size_t>(std::atoll(answer.headers["content-length"].c_str()));
    while (bytes_.size() < length && More()) {
    }
    answer.body = bytes_.substr(0, length);
    bytes_.erase(0, length);
    return answer;
  }

  RawAnswer Ask(std::string_view bytes) {
    Send(bytes);
    return Receive();
  }

  /// True: the server closes the connection, and said nothing more.
  bool IsClosed() { return bytes_.empty() && !More() && is_at_end_; }

  /// Receives something. False: nothing came, or the connection has ended.
  bool More() {
    pollfd entry = {fd_.get(), POLLIN, 0};
    if (::poll(&entry, 1, kPatienceMs) <= 0) return false;
    char buffer[4096];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    is_at_end_ = n <= 0;
    if (n > 0) bytes_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  const std::string& received() const { return bytes_; }

 private:
  static void ReadHead(const std::string& head, RawAnswer* answer) {
    answer->status = std::atoi(head.substr(head.find(' ') + 1).c_str());
    for (size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
      const std::string line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      std::string name = line.substr(0, line.find(':'));
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      answer->headers[name] = line.substr(line.find(": ") + 2);
    }
  }
  /// False: it was the last one.
  bool ReadChunk(RawAnswer* answer) {
    size_t end = 0;
    while ((end = bytes_.find("\r\n")) == std::string::npos) {
      if (!More()) return false;
    }
    const size_t size = std::strtoul(bytes_.c_str(), nullptr, 16);
    while (bytes_.size() < end + 2 + size + 2 && More()) {
    }
    answer->body += bytes_.substr(end + 2, size);
    bytes_.erase(0, end + 2 + size + 2);
    return size > 0;
  }

  Descriptor fd_;
  bool is_connected_ = false, is_at_end_ = false;
  std::string bytes_;
};

}  // namespace nemo::testing
