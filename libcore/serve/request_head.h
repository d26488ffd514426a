// RequestHead: the head of an HTTP/1 request (RFC 9112), read strictly before anybody acts on it.
// Where two readers could disagree about where a request ends, whoever stands between this server
// and its clients could be made to take one for two: such a head is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nemo {

/// Of a head; the first two beyond them are 431, a longer request line is 414.
inline constexpr size_t kMaxHeadBytes = 65536;
inline constexpr size_t kMaxHeadFields = 100;
inline constexpr size_t kMaxHeadLineBytes = 8192;

struct RequestHead {
  std::string method, target;
  /// In their order; names in lower case, values without blanks around them, as sent.
  std::vector<std::pair<std::string, std::string>> fields;
  bool is_http_1_0 = false;  ///< a client that knows no chunks
  bool is_chunked = false;
  int64_t content_length = 0;  ///< int64's largest where the number is larger

  /// The first field of that name; empty when there is none.
  std::string_view Find(std::string_view lower_name) const;
  bool has_body() const { return is_chunked || content_length > 0; }
};

/// Why a head is refused.
struct HeadFault {
  int http_status = 400;
  std::string message;
  std::string method, path;  ///< where they could be read
};

/// `bytes` to the end of the empty line. Refused: bare line ends, folded lines, names or values
/// with other bytes than RFC 9110 allows, more than one Content-Length or none that is a number, a
/// Transfer-Encoding beside it or other than "chunked", a version other than 1.0 and 1.1.
std::variant<RequestHead, HeadFault> ParseRequestHead(std::string_view bytes);

/// Where the head that `bytes` begin with ends: behind its empty line; npos: not yet. Takes bare
/// line ends, too, so that such a head is refused and not waited for.
size_t FindHeadEnd(std::string_view bytes);

}  // namespace nemo
