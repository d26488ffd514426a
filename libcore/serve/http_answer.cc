#include "libcore/serve/http_answer.h"

#include <string_view>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// RFC 9110's and RFC 6585's names; a client may show them.
std::string_view ReasonOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status < 500 ? "Refused" : "Failed";
  }
}

}  // namespace

std::string LastAnswerBytes(const HttpAnswer& answer) {
  const Reply& reply = answer.reply;
  std::string bytes =
      Format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", reply.status,
             ReasonOf(reply.status), reply.content_type, reply.body.size());
  for (const auto& [key, value] : answer.headers) bytes += Format("{}: {}\r\n", key, value);
  return bytes + "Connection: close\r\n\r\n" + reply.body;
}

}  // namespace nemo
