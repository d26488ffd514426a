#include "libcore/serve/api_keys.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr std::string_view kBearer = "bearer ", kBasic = "basic ";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool HasPrefixIgnoringCase(std::string_view text, std::string_view lower_prefix) {
  return text.size() >= lower_prefix.size() &&
         std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

/// Looks at every byte of `given` whatever the first ones are.
bool EqualInConstantTime(std::string_view key, std::string_view given) {
  size_t difference = key.size() ^ given.size();
  for (size_t i = 0; i < given.size(); ++i) {
    difference |=
        static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(key[i % key.size()]);
  }
  return difference == 0;
}

/// Up to the first letter that is none of base64 (RFC 4648).
std::string FromBase64(std::string_view text) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    const size_t value = kLetters.find(c);
    if (value == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    num_bits += 6;
    if (num_bits < 8) continue;
    num_bits -= 8;
    bytes += static_cast<char>(bits >> num_bits & 0xff);
  }
  return bytes;
}

/// The key in an Authorization header; empty when it has none.
std::string KeyIn(std::string_view authorization) {
  if (HasPrefixIgnoringCase(authorization, kBearer)) {
    return std::string(Trim(authorization.substr(kBearer.size())));
  }
  if (!HasPrefixIgnoringCase(authorization, kBasic)) return "";
  const std::string pair = FromBase64(Trim(authorization.substr(kBasic.size())));
  const size_t colon = pair.find(':');
  return colon == std::string::npos ? "" : pair.substr(colon + 1);
}

}  // namespace

Result<ApiKeys> ApiKeys::Read(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxFileBytes));
  ApiKeys keys;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = Trim(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (line.empty() || line.front() == '#') continue;
    if (std::any_of(line.begin(), line.end(), [](char c) { return c <= ' ' || c > '~'; })) {
      return InvalidArgument(Format(
          "{}: a key of other than visible ASCII characters cannot stand in a header", path));
    }
    keys.keys_.emplace_back(line);
  }
  if (keys.keys_.empty()) {
    return InvalidArgument(Format("{}: holds no key; write one a line", path));
  }
  return keys;
}

bool ApiKeys::Allows(std::string_view authorization) const {
  if (keys_.empty()) return true;
  const std::string given = KeyIn(authorization);
  bool is_allowed = false;
  for (const std::string& key : keys_) is_allowed |= EqualInConstantTime(key, given);
  return is_allowed;
}

}  // namespace nemo
