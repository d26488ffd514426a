// What the sandbox says of itself, when it refuses, and that it ends with its owner.
#include "libcore/eval/sandbox/sandbox.h"

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/libcore/eval/sandbox/cages.h"

namespace nemo {
namespace {

TEST(Sandbox, RefusesWhereFilesOrPeersStayOpen) {
  struct Row {
    SandboxLayers allowed;
    const char* open;
  };
  for (const Row& row : {Row{{false, false, false}, "files are not out of its reach"},
                         Row{{false, false, true}, "files are not out of its reach"},
                         Row{{false, true, false}, "the network and other processes are not"}}) {
    const Result<Sandbox> sandbox = Sandbox::Create({.allowed = row.allowed});
    ASSERT_FALSE(sandbox);
    EXPECT_EQ(sandbox.error().code(), StatusCode::kUnsupported);
    EXPECT_NE(sandbox.error().message().find(row.open), std::string::npos)
        << sandbox.error().message();
    EXPECT_NE(sandbox.error().message().find("no namespaces (not allowed)"), std::string::npos);
  }
}

TEST(Sandbox, NamesTheLayersThatHold) {
  const Result<Sandbox> sandbox = Sandbox::Create();
  if (!sandbox) GTEST_SKIP() << sandbox.error().message();
  const std::string& text = sandbox->description();
  EXPECT_EQ(sandbox->layers().namespaces, text.find("no namespaces") == std::string::npos);
  EXPECT_EQ(sandbox->layers().landlock, text.find("landlock (ABI ") != std::string::npos);
  EXPECT_EQ(sandbox->layers().seccomp, text.find("no seccomp") == std::string::npos);
  EXPECT_NE(text.find("resource limits; Python 3."), std::string::npos) << text;
}

TEST(Sandbox, SaysWhenThereIsNoPython) {
  const Result<Sandbox> absent = Sandbox::Create({.python = "/nowhere/python3"});
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), StatusCode::kNotFound);
  EXPECT_NE(absent.error().message().find("/nowhere/python3"), std::string::npos);
  const Result<Sandbox> other = Sandbox::Create({.python = "/bin/true"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), StatusCode::kNotFound);
}

TEST(Sandbox, EndsWithTheProcessThatOwnsIt) {
  const Result<Sandbox> sandbox = Sandbox::Create();
  if (!sandbox) GTEST_SKIP() << sandbox.error().message();
  testing::CollectOrphans();
  const pid_t owner = fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    static_cast<void>(sandbox->Run("while True: pass\n", {600'000}).has_value());
    _exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  kill(owner, SIGKILL);
  // Gone at once, in truth; a busy machine may take its time. The program would run ten minutes.
  for (int i = 0; i < 600 && testing::AnythingIsLeft(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_FALSE(testing::AnythingIsLeft());
}

}  // namespace
}  // namespace nemo
