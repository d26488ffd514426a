#include "libcore/serve/listener.h"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int kBacklog = 512;

struct Addresses {
  ~Addresses() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
  addrinfo* list = nullptr;
};

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  // The port stands at one place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

/// The port may be one whose last connections are not forgotten yet: a server that was just stopped
/// does not keep it.
void SetReuse(int fd, int value) {
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
}

/// 0, or errno.
int BindTo(const addrinfo& address, Descriptor* fd) {
  *fd = Descriptor(
      ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd->get() < 0) return errno;
  SetReuse(fd->get(), 1);
  if (::bind(fd->get(), address.ai_addr, address.ai_addrlen) != 0) return errno;
  // Else a second one that does not listen yet could have the same port: both load a model, and the
  // slower one learns of it at the end.
  SetReuse(fd->get(), 0);
  return 0;
}

Status BindError(int error, const std::string& address) {
  if (error == EADDRINUSE) {
    return IoError(
        Format("{}: another program listens there; choose another --port, or 0 for any free one",
               address));
  }
  return IoError(Format("{}: {}", address, std::strerror(error)));
}

}  // namespace

Listener::Listener(Descriptor fd, const std::string& host, int port)
    : fd_(std::move(fd)),
      port_(port),
      address_(host.find(':') == std::string::npos ? Format("{}:{}", host, port)
                                                   : Format("[{}]:{}", host, port)) {}

int Listener::fd() const { return fd_.get(); }

Result<std::unique_ptr<Listener>> Listener::Bind(const std::string& host, int port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  Addresses addresses;
  const std::string service = std::to_string(port);
  if (const int code = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &addresses.list)) {
    return InvalidArgument(Format("--host {}: {}", host, ::gai_strerror(code)));
  }
  int error = 0;
  for (const addrinfo* row = addresses.list; row != nullptr; row = row->ai_next) {
    Descriptor fd;
    error = BindTo(*row, &fd);
    if (error != 0) continue;
    const int bound = PortOf(fd.get());
    return std::unique_ptr<Listener>(new Listener(std::move(fd), host, bound));
  }
  return BindError(error, Format("{}:{}", host, port));
}

Status Listener::Listen() {
  if (::listen(fd_.get(), kBacklog) != 0) return BindError(errno, address_);
  // For its connections, which inherit it; the port of one that listens is nobody else's anyway.
  SetReuse(fd_.get(), 1);
  return OkStatus();
}

}  // namespace nemo
