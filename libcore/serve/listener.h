// Listener: an address that is ours before the model is read, and takes connections only when it is
// ready: clients that wait for a server take any answer, and any open port, for its readiness.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/direct_io.h"
#include "libcore/base/status.h"

namespace nemo {

class Listener {
 public:
  /// `port` 0: any free one. kInvalidArgument: no such host. kIo: the port is in use, or not for
  /// us.
  static Result<std::unique_ptr<Listener>> Bind(const std::string& host, int port);
  /// From now on connections succeed. kIo.
  Status Listen();
  int fd() const;
  int port() const { return port_; }
  /// "127.0.0.1:1424"
  const std::string& address() const { return address_; }

 private:
  Listener(Descriptor fd, const std::string& host, int port);

  Descriptor fd_;
  int port_;
  std::string address_;
};

}  // namespace nemo
