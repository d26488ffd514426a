// The head of an HTTP request, and behind it a body in chunks. A head that is accepted and written
// again must be the same head and end where it ended; chunks must be judged alike in one piece and
// byte by byte.
#include <algorithm>
#include <string>
#include <variant>

#include "libcore/base/check.h"
#include "libcore/serve/chunk_check.h"
#include "libcore/serve/request_head.h"
#include "tests/fuzz/harness.h"

namespace {

using nemo::ChunkCheck;
using nemo::RequestHead;

constexpr int64_t kMaxBodyBytes = 4096;

std::string Written(const RequestHead& head) {
  std::string bytes = head.method + " " + head.target;
  bytes += head.is_http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  for (const auto& [name, value] : head.fields) bytes += name + ":" + value + "\r\n";
  return bytes + "\r\n";
}

void CheckHead(const RequestHead& head) {
  NEMO_CHECK(head.fields.size() <= nemo::kMaxHeadFields);
  NEMO_CHECK(head.content_length >= 0 && !(head.is_chunked && head.content_length > 0));
  const std::string bytes = Written(head);
  NEMO_CHECK(nemo::FindHeadEnd(bytes) == bytes.size());
  const auto again = nemo::ParseRequestHead(bytes);
  const auto* same = std::get_if<RequestHead>(&again);
  NEMO_CHECK(same != nullptr && Written(*same) == bytes);
  NEMO_CHECK(same->is_chunked == head.is_chunked && same->content_length == head.content_length);
}

void CheckFault(const nemo::HeadFault& fault) {
  NEMO_CHECK(fault.http_status >= 400 && fault.http_status < 600 && !fault.message.empty());
}

void CheckChunks(std::string_view body) {
  ChunkCheck at_once(kMaxBodyBytes), by_byte(kMaxBodyBytes);
  const ChunkCheck::Verdict verdict = at_once.Take(body);
  ChunkCheck::Verdict last = ChunkCheck::Verdict::kGood;
  for (const char& byte : body) {
    const ChunkCheck::Verdict next = by_byte.Take({&byte, 1});
    NEMO_CHECK(last == ChunkCheck::Verdict::kGood || next == last);  // it is final
    last = next;
  }
  NEMO_CHECK(last == verdict);
  NEMO_CHECK(at_once.is_whole() == by_byte.is_whole());
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 64);
  const size_t end = std::min(nemo::FindHeadEnd(input), input.size());
  const std::string_view bytes = std::string_view(input).substr(0, end);
  const auto head = nemo::ParseRequestHead(bytes);
  if (const auto* fault = std::get_if<nemo::HeadFault>(&head)) {
    CheckFault(*fault);
  } else if (end < input.size() || bytes.ends_with("\r\n\r\n")) {
    CheckHead(std::get<RequestHead>(head));
  }
  CheckChunks(std::string_view(input).substr(end));
  return 0;
}
