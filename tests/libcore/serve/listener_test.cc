// The address of a server before and after it listens.
#include "libcore/serve/listener.h"

#include <poll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "tests/libcore/serve/raw_client.h"

namespace nemo {
namespace {

using testing::RawClient;

TEST(Listener, TakesThePortAtOnceAndConnectionsWhenItListens) {
  auto listener = Listener::Bind("127.0.0.1", 0);
  ASSERT_TRUE(listener) << listener.error().message();
  const int port = (*listener)->port();
  EXPECT_GT(port, 0);
  EXPECT_EQ((*listener)->address(), "127.0.0.1:" + std::to_string(port));
  EXPECT_FALSE(RawClient(port).is_connected());
  ASSERT_TRUE((*listener)->Listen().ok());
  EXPECT_TRUE(RawClient(port).is_connected());
}

TEST(Listener, KeepsThePortFromASecondOneThatDoesNotListenEither) {
  const auto first = Listener::Bind("127.0.0.1", 0);
  ASSERT_TRUE(first) << first.error().message();
  const auto second = Listener::Bind("127.0.0.1", (*first)->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::kIo);
}

TEST(Listener, TakesAPortWhoseLastConnectionsAreNotForgotten) {
  int port = 0;
  {
    auto listener = Listener::Bind("127.0.0.1", 0);
    ASSERT_TRUE(listener && (*listener)->Listen().ok());
    port = (*listener)->port();
    RawClient client(port);
    pollfd entry = {(*listener)->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, 60'000), 1);
    // The side that closes first keeps the connection in mind (TIME_WAIT).
    const Descriptor connection(::accept((*listener)->fd(), nullptr, nullptr));
    ASSERT_GE(connection.get(), 0);
    ASSERT_EQ(::shutdown(connection.get(), SHUT_WR), 0);
    EXPECT_TRUE(client.IsClosed());
  }
  const auto next = Listener::Bind("127.0.0.1", port);
  EXPECT_TRUE(next) << next.error().message();
}

TEST(Listener, SaysWhatIsWrongWithAnAddress) {
  auto first = Listener::Bind("127.0.0.1", 0);
  ASSERT_TRUE(first && (*first)->Listen().ok());
  const auto second = Listener::Bind("127.0.0.1", (*first)->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::kIo);
  EXPECT_NE(second.error().message().find("another program listens there; choose another --port"),
            std::string::npos)
      << second.error().message();
  const auto nowhere = Listener::Bind("no such host", 0);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code(), StatusCode::kInvalidArgument);
  const auto foreign = Listener::Bind("192.0.2.1", 0);  // RFC 5737: nobody's
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), StatusCode::kIo);
}

TEST(Listener, WritesIpv6InBrackets) {
  auto listener = Listener::Bind("::1", 0);
  if (!listener) GTEST_SKIP() << "this machine has no IPv6: " << listener.error().message();
  EXPECT_EQ((*listener)->address(), "[::1]:" + std::to_string((*listener)->port()));
}

}  // namespace
}  // namespace nemo
