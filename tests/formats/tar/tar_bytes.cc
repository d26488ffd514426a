#include "tests/formats/tar/tar_bytes.h"

#include <cstdio>

namespace nemo::testing {
namespace {

std::string Octal(int64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<long long>(value));
  return text;
}

}  // namespace

std::string WithChecksum(std::string header) {
  header.replace(148, 8, "        ");
  int64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  return header.replace(148, 8, Octal(sum, 6) + std::string("\0 ", 2));
}

std::string TarHeader(const TarFields& fields) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, fields.name);
  put(100, "0000644");
  put(124, fields.size);
  put(156, std::string(1, fields.type));
  put(257, fields.magic);
  put(345, fields.prefix);
  return WithChecksum(header);
}

std::string TarMember(TarFields fields, const std::string& data) {
  if (fields.size.empty()) fields.size = Octal(static_cast<int64_t>(data.size()), 11);
  std::string out = TarHeader(fields) + data;
  out.resize((out.size() + 511) / 512 * 512, '\0');
  return out;
}

std::string PaxRecord(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

std::string Base256(int64_t value) {
  std::string out(12, '\0');
  for (size_t i = 12; i-- > 1; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  out[0] = static_cast<char>(0x80);
  return out;
}

std::string TarEnd() { return std::string(1024, '\0'); }

}  // namespace nemo::testing
