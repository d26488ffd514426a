// Heads of requests: what RFC 9112 allows, and what it wants refused.
#include "libcore/serve/request_head.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

TEST(RequestHead, IsReadAsItWasSent) {
  const auto parsed = ParseRequestHead(
      "POST /v1/completions?x=1 HTTP/1.1\r\nHost: a\r\nAuthorization:   Bearer a%41b \t\r\n"
      "content-LENGTH: 12\r\nX-Empty:\r\n\r\n");
  const auto* head = std::get_if<RequestHead>(&parsed);
  ASSERT_NE(head, nullptr) << std::get<HeadFault>(parsed).message;
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/v1/completions?x=1");
  EXPECT_EQ(head->Find("authorization"), "Bearer a%41b");
  EXPECT_EQ(head->Find("x-empty"), "");
  EXPECT_EQ(head->Find("absent"), "");
  EXPECT_EQ(head->content_length, 12);
  EXPECT_TRUE(head->has_body());
  EXPECT_FALSE(head->is_chunked);
}

TEST(RequestHead, ABodyThatMightEndInTwoPlacesIsRefused) {
  const struct {
    const char* fields;
    int status;
  } kCases[] = {
      {"Content-Length: 5\r\nContent-Length: 6\r\n", 400},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", 400},
      {"Content-Length: 5, 5\r\n", 400},
      {"Content-Length: +5\r\n", 400},
      {"Content-Length: -5\r\n", 400},
      {"Content-Length: 0x5\r\n", 400},
      {"Content-Length: %35\r\n", 400},
      {"Content-Length:\r\n", 400},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: gzip, chunked\r\n", 501},
      {"Transfer-Encoding: identity\r\n", 501},
      {"Transfer-Encoding: xchunked\r\n", 501},
      {"Transfer-Encoding: %63hunked\r\n", 501},
      {"Transfer-Encoding : chunked\r\n", 400},
      {"Content-Length : 5\r\n", 400},
      {" Content-Length: 5\r\n", 400},
      {"A: b\r\n c\r\n", 400},               // folded
      {"A: b\nContent-Length: 5\r\n", 400},  // a bare line end
      {"A: b\rContent-Length: 5\r\n", 400},
      {"A b\r\n", 400},
      {": b\r\n", 400},
      {"A\x01: b\r\n", 400},
  };
  for (const auto& row : kCases) {
    const auto parsed = ParseRequestHead(Format("PUT /generate?a HTTP/1.1\r\n{}\r\n", row.fields));
    const auto* fault = std::get_if<HeadFault>(&parsed);
    ASSERT_NE(fault, nullptr) << row.fields;
    EXPECT_EQ(fault->http_status, row.status) << row.fields << fault->message;
    EXPECT_FALSE(fault->message.empty());
    EXPECT_EQ(fault->method, "PUT");
    EXPECT_EQ(fault->path, "/generate");
  }
  const auto nul = ParseRequestHead(std::string_view("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 27));
  EXPECT_NE(std::get_if<HeadFault>(&nul), nullptr);
}

TEST(RequestHead, TheFirstLineIsAMethodATargetAndAVersion) {
  const struct {
    const char* line;
    int status;
  } kCases[] = {{"GET /", 400},
                {"GET  HTTP/1.1", 400},
                {"GET / HTTP/2.0", 505},
                {"GET / HTTP/0.9", 505},
                {"G\x01T / HTTP/1.1", 400},
                {"", 400},
                {"GET / x HTTP/1.1", 400},
                {"GET / FTP/1.1", 400}};
  for (const auto& row : kCases) {
    const auto parsed = ParseRequestHead(Format("{}\r\n\r\n", row.line));
    const auto* fault = std::get_if<HeadFault>(&parsed);
    ASSERT_NE(fault, nullptr) << row.line;
    EXPECT_EQ(fault->http_status, row.status) << row.line;
  }
  for (const char* line : {"GET / HTTP/1.1", "GET / HTTP/1.0", "FOO-BAR * HTTP/1.1"}) {
    const auto parsed = ParseRequestHead(Format("{}\r\n\r\n", line));
    EXPECT_NE(std::get_if<RequestHead>(&parsed), nullptr) << line;
  }
}

TEST(RequestHead, SizesAreBounded) {
  const auto status_of = [](const std::string& bytes) {
    const auto parsed = ParseRequestHead(bytes);
    const auto* fault = std::get_if<HeadFault>(&parsed);
    return fault == nullptr ? 200 : fault->http_status;
  };
  const auto with_target = [&](size_t size) {
    return status_of(Format("GET /{} HTTP/1.1\r\n\r\n", std::string(size, 'a')));
  };
  EXPECT_EQ(with_target(kMaxHeadLineBytes - 14), 200);
  EXPECT_EQ(with_target(kMaxHeadLineBytes - 13), 414);
  const auto with_value = [&](size_t size) {
    return status_of(Format("GET / HTTP/1.1\r\nA: {}\r\n\r\n", std::string(size, 'a')));
  };
  EXPECT_EQ(with_value(kMaxHeadLineBytes - 3), 200);
  EXPECT_EQ(with_value(kMaxHeadLineBytes - 2), 431);
  const auto with_fields = [&](size_t count) {
    std::string fields;
    for (size_t i = 0; i < count; ++i) fields += "A: b\r\n";
    return status_of("GET / HTTP/1.1\r\n" + fields + "\r\n");
  };
  EXPECT_EQ(with_fields(kMaxHeadFields), 200);
  EXPECT_EQ(with_fields(kMaxHeadFields + 1), 431);
  const auto huge =
      ParseRequestHead("PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n");
  EXPECT_EQ(std::get<RequestHead>(huge).content_length, std::numeric_limits<int64_t>::max());
}

TEST(RequestHead, EndsWithAnEmptyLine) {
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nA: b\r\n\r\nbody"), 24u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\n\nbody"), 16u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nA: b\r\n\r"), std::string_view::npos);
  EXPECT_EQ(FindHeadEnd(""), std::string_view::npos);
}

}  // namespace
}  // namespace nemo
