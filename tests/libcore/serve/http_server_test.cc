// HttpServer against clients of every manner, with a handler that says back what it was given.
#include "libcore/serve/http_server.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <sys/resource.h>
#include <thread>
#include <time.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/serve/packed_bodies.h"
#include "tests/libcore/serve/raw_client.h"

namespace nemo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::RawAnswer;
using testing::RawClient;

/// Pieces without an end, until it is let go.
class EndlessStream final : public AnswerStream {
 public:
  explicit EndlessStream(std::atomic<int64_t>& num_bytes) : num_bytes_(num_bytes) {}
  bool Next(std::string* bytes) override {
    *bytes = std::string(65536, 'x');
    num_bytes_ += std::ssize(*bytes);
    return true;
  }

 private:
  std::atomic<int64_t>& num_bytes_;
};

/// Two pieces.
class ShortStream final : public AnswerStream {
 public:
  bool Next(std::string* bytes) override {
    *bytes = num_pieces_++ == 0 ? "one " : "two";
    return num_pieces_ < 2;
  }

 private:
  int num_pieces_ = 0;
};

class FakeHandler final : public HttpHandler {
 public:
  std::optional<HttpAnswer> Check(const HttpHead& head) override {
    if (head.authorization != "Bearer wrong") return std::nullopt;
    return Refuse(head, 401, "no key");
  }

  HttpAnswer Handle(const HttpHead& head, const std::string& body,
                    const std::function<bool()>& has_left) override {
    ++num_handled;
    if (head.path == "/wait") {
      while (!has_left()) std::this_thread::sleep_for(milliseconds(5));
    }
    HttpAnswer answer;
    answer.reply = {200, Format("{} {} {}", head.method, head.path, body), "text/plain"};
    if (head.path == "/key") answer.reply.body = head.authorization;
    if (head.path == "/throw") throw std::bad_alloc();
    if (head.path == "/short") answer.stream = std::make_shared<ShortStream>();
    if (head.path == "/endless") answer.stream = std::make_shared<EndlessStream>(num_streamed);
    answer.finish = [this](bool is_sent) { Finished(is_sent); };
    return answer;
  }

  HttpAnswer Refuse(const HttpHead& head, int http_status, const std::string& message) override {
    HttpAnswer answer;
    answer.reply = {http_status, Format("{}|{}", head.path, message), "text/plain"};
    answer.finish = [this](bool is_sent) { Finished(is_sent); };
    return answer;
  }

  /// Of the next answer that is through, whether it reached the client.
  bool WaitForFinished() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, seconds(20), [&] { return !finished_.empty(); })) {
      ADD_FAILURE() << "no answer is through";
      return false;
    }
    const bool is_sent = finished_.front();
    finished_.pop_front();
    return is_sent;
  }

  std::atomic<int> num_handled = 0;
  std::atomic<int64_t> num_streamed = 0;

 private:
  void Finished(bool is_sent) {
    const std::lock_guard lock(mutex_);
    finished_.push_back(is_sent);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<bool> finished_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(const HttpLimits& limits = {}) {
    auto listener = Listener::Bind("127.0.0.1", 0);
    ASSERT_TRUE(listener) << listener.error().message();
    port_ = (*listener)->port();
    auto server = HttpServer::Start(*std::move(listener), limits, handler_);
    ASSERT_TRUE(server) << server.error().message();
    server_ = *std::move(server);
  }

  static HttpLimits SmallLimits() {
    HttpLimits limits;
    limits.max_request_bytes = 1000;
    limits.read_timeout = limits.write_timeout = seconds(1);
    return limits;
  }

  /// An answer of the handler, or its refusal; on a connection of its own.
  RawAnswer Ask(std::string_view bytes) { return RawClient(port_).Ask(bytes); }
  static std::string Put(std::string_view body, std::string_view fields = "") {
    return Format("PUT /a HTTP/1.1\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), fields, body);
  }

  /// Refused with this status and these words, and the connection ends.
  void ExpectRefused(std::string_view bytes, int status, std::string_view says) {
    RawClient client(port_);
    const RawAnswer answer = client.Ask(bytes);
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 200) << answer.body;
    EXPECT_NE(answer.body.find(says), std::string::npos) << answer.body;
    EXPECT_EQ(answer.headers.at("connection"), "close");
    client.EndWriting();
    EXPECT_TRUE(client.IsClosed()) << "what follows a refused request was answered, too";
  }

  FakeHandler handler_;
  std::unique_ptr<HttpServer> server_;
  int port_ = 0;
};

TEST_F(HttpServerTest, StreamsInChunksOnlyToWhoKnowsThem) {
  Start();
  const RawAnswer chunks = Ask("GET /short HTTP/1.1\r\n\r\n");
  EXPECT_EQ(chunks.headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(chunks.body, "one two");
  for (const char* field : {"", "Connection: keep-alive\r\n"}) {
    RawClient client(port_);
    RawAnswer whole = client.Ask(Format("GET /short HTTP/1.0\r\n{}\r\n", field));
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.headers["transfer-encoding"], "");
    EXPECT_EQ(whole.headers["content-length"], "");
    EXPECT_EQ(whole.headers["connection"], "close");
    while (client.More()) {
    }
    EXPECT_EQ(client.received(), "one two");
  }
}

TEST_F(HttpServerTest, AnswersOneRequestAfterAnotherOnAConnection) {
  Start();
  RawClient client(port_);
  for (int i = 0; i < 3; ++i) {
    const RawAnswer answer = client.Ask(Put(Format("body {}", i)));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, Format("PUT /a body {}", i));
  }
  // All at once, with and without a body, in chunks, with empty lines between them.
  client.Send(
      Put("one") + "GET /b%20c?d=e HTTP/1.1\r\n\r\n\r\n\r\n" +
      "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n2;x=y\r\n!!\r\n0\r\n\r\n" +
      Put("three"));
  for (const char* body : {"PUT /a one", "GET /b c ", "POST /c two!!", "PUT /a three"}) {
    EXPECT_EQ(client.Receive().body, body);
  }
  EXPECT_EQ(server_->num_connections(), 1);
  client.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_TRUE(client.IsClosed());
  RawClient other(port_);
  other.Send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(other.Receive(/*is_head=*/true).status, 200);
}

TEST_F(HttpServerTest, AKeyComesAsItWasSent) {
  Start();
  EXPECT_EQ(Ask("GET /key HTTP/1.1\r\nAuthorization: Bearer a%41+b\r\n\r\n").body, "Bearer a%41+b");
  // Refused before the body is read, so the connection ends.
  ExpectRefused("PUT /a HTTP/1.1\r\nAuthorization: Bearer wrong\r\nContent-Length: 9\r\n\r\nab",
                401, "no key");
}

TEST_F(HttpServerTest, BodiesAreBounded) {
  Start(SmallLimits());
  EXPECT_EQ(Ask(Put(std::string(1000, 'x'))).body.size(), 1000 + strlen("PUT /a "));
  ExpectRefused(Put(std::string(1001, 'x')), 413, "larger than 1000 bytes");
  ExpectRefused("PUT /a HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413,
                "larger");
  const std::string chunked = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  ExpectRefused(chunked + "3e9\r\n", 413, "larger");  // said, not sent
  ExpectRefused(chunked + "1f4\r\n" + std::string(500, 'x') + "\r\n1f5\r\n", 413, "larger");
  EXPECT_EQ(Ask(chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, HeadsAreBounded) {
  Start();
  ExpectRefused("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n", 414, "8192");
  ExpectRefused("GET / HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", 431, "8192");
  std::string fields;
  for (int i = 0; i < 101; ++i) fields += "A: b\r\n";
  ExpectRefused("GET / HTTP/1.1\r\n" + fields + "\r\n", 431, "100 headers");
  ExpectRefused("GET / HTTP/1.1\r\n" + std::string(70000, 'a'), 431, "65536");
  // The longest URL there may be.
  EXPECT_EQ(Ask("GET /" + std::string(8000, 'a') + " HTTP/1.1\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, ASecondRequestCannotHideInTheFirst) {
  Start();
  const std::string hidden = "GET /hidden HTTP/1.1\r\n\r\n";
  ExpectRefused("PUT /a HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 24\r\n\r\n" + hidden, 400,
                "more than one Content-Length");
  ExpectRefused(
      "PUT /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
          hidden,
      400, "exclude one another");
  ExpectRefused("PUT /a HTTP/1.1\r\nContent-Length : 24\r\n\r\n" + hidden, 400, "NAME: VALUE");
  ExpectRefused("PUT /a HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n" + hidden, 501, "chunked");
  const std::string chunked = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  ExpectRefused(chunked + "1\r\nab\r\n0\r\n\r\n" + hidden, 400, "in chunks");
  ExpectRefused(chunked + "-1\r\na\r\n0\r\n\r\n" + hidden, 400, "in chunks");
  ExpectRefused(chunked + "0\r\nA: b\r\n\r\n" + hidden, 400, "in chunks");
  // A body where there is none to read is not read, so nothing may follow it.
  for (const char* method : {"GET", "DELETE", "OPTIONS", "HEAD"}) {
    RawClient client(port_);
    client.Send(Format("{} /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", method) +
                hidden);
    EXPECT_NE(client.Receive(std::string_view(method) == "HEAD").status, 0) << method;
    client.EndWriting();
    EXPECT_TRUE(client.IsClosed()) << method;
  }
}

TEST_F(HttpServerTest, NonsenseIsRefused) {
  Start();
  ExpectRefused("\x01\x02\r\n\r\n", 400, "no request");
  ExpectRefused("GET / HTTP/1.1\n\n", 400, "no request");
  ExpectRefused("GET / HTTP/2.0\r\n\r\n", 505, "HTTP/1.1");
  ExpectRefused("FOO / HTTP/1.1\r\n\r\n", 400, "not HTTP");
  ExpectRefused("GET /throw HTTP/1.1\r\n\r\n", 500, "out of memory");
  RawClient client(port_);
  client.Send("GET / HT");
  client.Close();
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, PackedBodiesAreUnpackedAndBounded) {
  Start(SmallLimits());
  const auto ask = [&](std::string_view coding, std::string_view body) {
    return Ask(Put(body, Format("Content-Encoding: {}\r\n", coding)));
  };
  for (const char* coding : {"gzip", "GZip", "x-gzip"}) {
    EXPECT_EQ(ask(coding, testing::kGzipHello).body, "PUT /a hello") << coding;
  }
  EXPECT_EQ(ask("deflate", testing::kZlibHello).body, "PUT /a hello");
  EXPECT_EQ(ask("identity", "hello").body, "PUT /a hello");
  // A bomb: some 900 bytes that become 900,000.
  ASSERT_LT(testing::kGzipBomb.size(), 1000u);
  const std::string bomb = Put(testing::kGzipBomb, "Content-Encoding: gzip\r\n");
  ExpectRefused(bomb, 413, "larger than 1000 bytes");
  ExpectRefused(Put("hello", "Content-Encoding: gzip\r\n"), 400, "is no gzip");
  ExpectRefused(Put("hello", "Content-Encoding: zstd\r\n"), 415, "zstd: this server unpacks gzip");
  ExpectRefused(Put("hello", "Content-Encoding: gzip, gzip\r\n"), 415, "unpacks gzip");
}

TEST_F(HttpServerTest, WhoAsksFirstWhetherToSendIsTold) {
  Start(SmallLimits());
  const auto head = [](int length, std::string_view fields = "") {
    return Format("PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {}\r\n{}\r\n", length,
                  fields);
  };
  RawClient client(port_);
  EXPECT_EQ(client.Ask(head(5)).status, 100);
  client.Send("hello");
  EXPECT_EQ(client.Receive().body, "PUT /a hello");
  EXPECT_EQ(client.Ask(head(5)).status, 100);  // and again on this connection
  client.Send("again");
  EXPECT_EQ(client.Receive().body, "PUT /a again");
  // No 100 before a no.
  ExpectRefused(head(1001), 413, "larger");
  ExpectRefused(head(5, "Authorization: Bearer wrong\r\n"), 401, "no key");
  ExpectRefused(head(5, "Content-Encoding: zstd\r\n"), 415, "zstd");
  // Nor where there is no body to send.
  const RawAnswer get = Ask("GET /b HTTP/1.1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.body, "GET /b ");
}

TEST_F(HttpServerTest, SlowSendersAreCutOff) {
  Start(SmallLimits());
  RawClient idle(port_), head(port_), body(port_), chunks(port_);
  head.Send("PUT /a HT");
  body.Send("PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
  chunks.Send("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na");
  for (RawClient* slow : {&head, &body, &chunks}) {
    const RawAnswer answer = slow->Receive();
    EXPECT_EQ(answer.status, 408);
    EXPECT_NE(answer.body.find("within 1 s"), std::string::npos) << answer.body;
    slow->EndWriting();
    EXPECT_TRUE(slow->IsClosed());
  }
  // The time begins with the first byte.
  EXPECT_EQ(idle.Ask(Put("hello")).status, 200);
}

TEST_F(HttpServerTest, ATricklingSenderHasNoMoreTimeThanAnother) {
  Start(SmallLimits());
  RawClient client(port_);
  std::atomic<bool> is_over = false;
  std::thread trickle([&] {
    client.Send("PUT /a HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
    while (!is_over && client.Send("x")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_EQ(client.Receive().status, 408);
  is_over = true;
  trickle.join();
}

TEST_F(HttpServerTest, IdleConnectionsEnd) {
  HttpLimits limits;
  limits.keep_alive_timeout = seconds(1);
  Start(limits);
  RawClient fresh(port_), used(port_);
  EXPECT_EQ(used.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  EXPECT_TRUE(fresh.IsClosed());
  EXPECT_TRUE(used.IsClosed());
  EXPECT_TRUE(server_->WaitForEnd(std::chrono::steady_clock::now() + seconds(20)));
}

TEST_F(HttpServerTest, AClientThatHangsUpIsNoticed) {
  Start();
  for (const bool half : {false, true}) {
    RawClient client(port_);
    client.Send("GET /wait HTTP/1.1\r\n\r\n");
    while (handler_.num_handled == (half ? 1 : 0)) std::this_thread::sleep_for(milliseconds(1));
    half ? client.EndWriting() : client.Close();
    handler_.WaitForFinished();
  }
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsCutOff) {
  Start(SmallLimits());
  RawClient client(port_);
  const int small = 4096;
  ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  client.Send("GET /endless HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(handler_.WaitForFinished());
  // What the sockets hold, and one piece.
  EXPECT_LT(handler_.num_streamed, int64_t{64} << 20);
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, TooManyClientsAreToldInWords) {
  HttpLimits limits;
  limits.max_connections = 2;
  Start(limits);
  RawClient first(port_), second(port_);
  EXPECT_EQ(first.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  EXPECT_EQ(second.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  for (int i = 0; i < 100; ++i) {  // more than are let leave at leisure
    RawClient third(port_);
    third.Send("GET / HTTP/1.1\r\n\r\n");
    const RawAnswer answer = third.Receive();
    ASSERT_EQ(answer.status, 503);
    ASSERT_NE(answer.body.find("2 clients are connected"), std::string::npos) << answer.body;
    ASSERT_EQ(answer.headers.at("connection"), "close");
  }
  EXPECT_EQ(first.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  second.Close();
  while (server_->num_connections() > 1) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, WithoutDescriptorsClientsWaitAndTheServerDoesNotSpin) {
  Start();
  RawClient first(port_), second(port_);
  EXPECT_EQ(first.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  EXPECT_EQ(second.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  RawClient third;  // has a descriptor, and no connection yet
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(third.fd());  // every number from here on is refused
  // Numbers below that may be free.
  std::deque<Descriptor> fill;
  for (int fd = ::dup(0); fd >= 0; fd = fd < third.fd() ? ::dup(0) : -1) fill.emplace_back(fd);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  ASSERT_TRUE(third.Connect(port_));  // the kernel takes it, accept() cannot
  third.Send("GET / HTTP/1.1\r\n\r\n");
  const auto cpu_ns = [] {
    timespec time = {};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  };
  const int64_t begin = cpu_ns();
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_LT(cpu_ns() - begin, 250'000'000) << "the acceptor spins";
  EXPECT_EQ(first.Ask("GET / HTTP/1.1\r\n\r\n").status, 200) << "others suffer";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(third.Receive().status, 200) << "who waited was forgotten";
}

TEST_F(HttpServerTest, DescriptorsBeyondThoseOfSelectServeAsWell) {
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit many = before;
  many.rlim_cur = std::min<rlim_t>(before.rlim_max, 4096);
  if (many.rlim_cur < 1200) GTEST_SKIP() << "not so many descriptors may be open here";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &many), 0);
  std::deque<Descriptor> fill;
  while (fill.empty() || fill.back().get() < 1100) fill.emplace_back(::dup(0));
  Start();
  EXPECT_EQ(Ask(Put("hello")).body, "PUT /a hello");
  server_ = nullptr;
  fill.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(HttpServerTest, EndsIdleConnectionsAndLetsTheOthersFinish) {
  Start();
  RawClient idle(port_), busy(port_);
  EXPECT_EQ(idle.Ask("GET / HTTP/1.1\r\n\r\n").status, 200);
  busy.Send("PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(busy.Receive().status, 100);
  server_->StopAccepting();
  EXPECT_FALSE(RawClient(port_).is_connected());
  EXPECT_TRUE(idle.IsClosed());
  busy.Send("hello");
  EXPECT_EQ(busy.Receive().body, "PUT /a hello");
  EXPECT_TRUE(busy.IsClosed());
  EXPECT_TRUE(server_->WaitForEnd(std::chrono::steady_clock::now() + seconds(20)));
}

}  // namespace
}  // namespace nemo
