#include "libcore/serve/request_head.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// Digits that int64 always holds.
constexpr size_t kMaxLengthDigits = 18;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(text.begin(), text.end(), lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

/// RFC 9110, "token".
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
  });
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

class HeadReader {
 public:
  explicit HeadReader(std::string_view bytes) : rest_(bytes) {}

  std::variant<RequestHead, HeadFault> Read() {
    std::optional<HeadFault> fault = ReadRequestLine();
    while (!fault && !rest_.empty()) {
      const std::string_view line = TakeLine();
      if (line.data() == nullptr) {
        fault = HeadFault{400, "a line of the head ends without CR and LF"};
      } else if (line.empty()) {
        break;
      } else {
        fault = ReadField(line);
      }
    }
    if (!fault) fault = ReadFraming();
    if (!fault) return std::move(head_);
    fault->method = head_.method;
    fault->path = head_.target.substr(0, head_.target.find_first_of("?#"));
    return *std::move(fault);
  }

 private:
  /// Without its CR and LF; null when it has another end.
  std::string_view TakeLine() {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos || end == 0 || rest_[end - 1] != '\r') return {};
    const std::string_view line = rest_.substr(0, end - 1);
    rest_.remove_prefix(end + 1);
    return line;
  }

  std::optional<HeadFault> ReadRequestLine() {
    const std::string_view line = TakeLine();
    const size_t target = line.find(' ');
    const size_t version = line.rfind(' ');
    if (line.data() == nullptr || target == std::string_view::npos || target == version) {
      return HeadFault{400, "the first line is no request: METHOD TARGET HTTP/1.1"};
    }
    if (!IsToken(line.substr(0, target))) return HeadFault{400, "the method is no word"};
    head_.method = line.substr(0, target);
    head_.target = line.substr(target + 1, version - target - 1);
    if (line.size() > kMaxHeadLineBytes) {
      head_.target.resize(std::min<size_t>(head_.target.size(), 256));
      return HeadFault{414, Format("the URL is longer than {} bytes", kMaxHeadLineBytes)};
    }
    const bool is_good =
        !head_.target.empty() && std::all_of(head_.target.begin(), head_.target.end(),
                                             [](char c) { return c > ' ' && c != '\x7f'; });
    if (!is_good) return HeadFault{400, "the URL is empty, or has bytes that must be written %XX"};
    const std::string_view name = line.substr(version + 1);
    head_.is_http_1_0 = name == "HTTP/1.0";
    if (name == "HTTP/1.1" || head_.is_http_1_0) return std::nullopt;
    if (name.starts_with("HTTP/")) return HeadFault{505, "this server speaks HTTP/1.1 and 1.0"};
    return HeadFault{400, "the first line is no request: METHOD TARGET HTTP/1.1"};
  }

  std::optional<HeadFault> ReadField(std::string_view line) {
    if (line.size() > kMaxHeadLineBytes) {
      return HeadFault{431, Format("a header is longer than {} bytes", kMaxHeadLineBytes)};
    }
    if (head_.fields.size() == kMaxHeadFields) {
      return HeadFault{431, Format("there are more than {} headers", kMaxHeadFields)};
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
      return HeadFault{400, "a header is not NAME: VALUE"};
    }
    const std::string_view value = Trim(line.substr(colon + 1));
    if (!IsFieldValue(value)) return HeadFault{400, "a header holds control characters"};
    head_.fields.emplace_back(Lower(line.substr(0, colon)), value);
    return std::nullopt;
  }

  /// Where the body ends, which there must be one answer to.
  std::optional<HeadFault> ReadFraming() {
    int num_lengths = 0, num_codings = 0;
    for (const auto& [name, value] : head_.fields) {
      if (name == "content-length") {
        ++num_lengths;
        if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) {
          return HeadFault{400, "Content-Length is no number"};
        }
        head_.content_length = value.size() <= kMaxLengthDigits
                                   ? std::stoll(value)
                                   : std::numeric_limits<int64_t>::max();
      } else if (name == "transfer-encoding") {
        ++num_codings;
        if (Lower(value) != "chunked") {
          return HeadFault{501, "of transfer codings this server knows \"chunked\" alone"};
        }
        head_.is_chunked = true;
      }
    }
    if (num_lengths > 1) return HeadFault{400, "there is more than one Content-Length"};
    if (num_codings > 1) return HeadFault{400, "there is more than one Transfer-Encoding"};
    if (num_lengths + num_codings > 1) {
      return HeadFault{400, "Content-Length and Transfer-Encoding exclude one another"};
    }
    return std::nullopt;
  }

  std::string_view rest_;
  RequestHead head_;
};

}  // namespace

std::string_view RequestHead::Find(std::string_view lower_name) const {
  const auto it = std::find_if(fields.begin(), fields.end(),
                               [&](const auto& field) { return field.first == lower_name; });
  return it == fields.end() ? std::string_view() : it->second;
}

std::variant<RequestHead, HeadFault> ParseRequestHead(std::string_view bytes) {
  return HeadReader(bytes).Read();
}

size_t FindHeadEnd(std::string_view bytes) {
  for (size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    const std::string_view next = bytes.substr(at + 1);
    if (next.starts_with("\n")) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace nemo
