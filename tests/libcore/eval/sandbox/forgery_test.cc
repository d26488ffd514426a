// Programs that would like to pass without their tests, and what the reference says of odd ends.
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/eval/sandbox/cages.h"

namespace nemo {
namespace {

using testing::VerdictOf;

class Forgery : public ::testing::Test {
 protected:
  void SetUp() override {
    static const Result<Sandbox> made = Sandbox::Create();
    if (!made) GTEST_SKIP() << made.error().message();
    sandbox_ = &*made;
  }
  /// The completion, then a test that fails.
  std::string Judge(const std::string& completion, int64_t wall_ms = 30'000) {
    return VerdictOf(*sandbox_, completion + "\nassert False, 'the test'\n", {wall_ms});
  }
  const Sandbox* sandbox_ = nullptr;
};

TEST_F(Forgery, AnEarlyEndIsNoPass) {
  EXPECT_EQ(Judge("import os; os._exit(0)"), "timed out");
  EXPECT_EQ(Judge("import os; os.abort()"), "timed out");
  EXPECT_EQ(Judge("import posix; posix.kill(posix.getpid(), 9); import time; time.sleep(99)", 2000),
            "timed out");
  EXPECT_EQ(Judge("import sys; sys.exit(0)"), "failed: 0");
  EXPECT_EQ(Judge("raise SystemExit"), "failed: ");
  EXPECT_EQ(Judge("import _thread; _thread.exit()"), "failed: ");
  EXPECT_EQ(Judge("import atexit, os; atexit.register(os._exit, 0); raise KeyboardInterrupt"),
            "failed: ");
}

TEST_F(Forgery, PrintedAndGuessedVerdictsCountForNothing) {
  EXPECT_EQ(Judge("print('passed'); import sys; print('passed', file=sys.stderr)"),
            "failed: the test");
  EXPECT_EQ(Judge(R"(
import os
for fd in range(64):
    for text in (b'passed', b'ready', bytes(32) + b'passed', os.urandom(32) + b'passed'):
        try: os.write(fd, text)
        except OSError: pass
os._exit(0))"),
            "timed out");
}

TEST_F(Forgery, AFloodOfPacketsHidesNoVerdictAndMakesNone) {
  EXPECT_EQ(Judge("import os\nfor _ in range(100000): os.write(3, bytes(4096))"),
            "failed: the test");
}

TEST_F(Forgery, ClosedDescriptorsMakeNoVerdict) {
  EXPECT_EQ(VerdictOf(*sandbox_, "import os; os.closerange(0, 64)\n"), "timed out");
  EXPECT_EQ(Judge("import os; os.closerange(0, 64); os._exit(0)"), "timed out");
  // Even when the number is another file's afterwards.
  EXPECT_EQ(VerdictOf(*sandbox_, "import os; os.close(3); os.open('/dev/null', 1)\n"), "timed out");
}

/// Collects whatever could be the nonce, sends it back with a verdict, and ends.
constexpr char kSendAll[] = R"(
import os, sys
def send(values):
    for value in values:
        if isinstance(value, str): value = value.encode('latin-1', 'replace')
        if not isinstance(value, (bytes, bytearray, memoryview)): continue
        for text in (bytes(value[:32]), bytes(value[-32:]), bytes(value)):
            if text: os.write(3, text[:4000] + b'passed')
)";

TEST_F(Forgery, TheNonceIsInNoFrame) {
  EXPECT_EQ(Judge(std::string(kSendAll) + R"(
def frames():
    frame = sys._getframe()
    while frame: yield frame; frame = frame.f_back
try: 1 / 0
except ZeroDivisionError as error: start = error.__traceback__.tb_frame
for frame in [*frames(), start, start.f_back]:
    if frame is None: continue
    send([*frame.f_locals.values(), *frame.f_globals.values(), *frame.f_code.co_consts])
    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
        if hasattr(value, '__closure__') and value.__closure__:
            send([cell.cell_contents for cell in value.__closure__])
        if hasattr(value, '__defaults__') and value.__defaults__: send(value.__defaults__)
import __main__, inspect
send(vars(__main__).values())
for info in inspect.stack(): send(info.frame.f_locals.values())
os._exit(0))"),
            "timed out");
}

TEST_F(Forgery, TheNonceIsInNoFileOrArgument) {
  EXPECT_EQ(Judge(std::string(kSendAll) + R"(
send(sys.argv + getattr(sys, 'orig_argv', []) + list(os.environ.values()))
for fd in range(64):
    try:
        os.lseek(fd, 0, 0)
        send([os.read(fd, 1 << 20)])
    except OSError: pass
for name in ('cmdline', 'environ', 'mem', 'fd/0', 'maps'):
    try: send([open('/proc/self/' + name, 'rb').read(1 << 20)])
    except OSError: pass
os._exit(0))"),
            "timed out");
}

TEST_F(Forgery, TheInterpretersListingsAreRefused) {
  for (const char* attempt :
       {"import gc; gc.get_objects()", "import gc; gc.get_referrers(len)",
        "import gc; gc.get_referents([])", "import sys; sys.settrace(print)",
        "import sys; sys.setprofile(print)", "import sys; sys._current_frames()", "import ctypes",
        "import _ctypes"}) {
    const std::string verdict = Judge(attempt);
    EXPECT_EQ(verdict.rfind("failed: ", 0), 0u) << attempt << ": " << verdict;
    EXPECT_NE(verdict.find(" is refused here"), std::string::npos) << attempt << ": " << verdict;
  }
  // An audit hook of its own would see ours: it is not taken, silently.
  EXPECT_EQ(Judge("import sys; sys.addaudithook(lambda *_: sys.exit(0)); open('/dev/null')"),
            Judge(""));
}

TEST_F(Forgery, PatchedBuiltinsDoNotReachTheWrapper) {
  EXPECT_EQ(Judge(R"(
import __main__, builtins, collections, functools, os, sys
for name in ('exec', 'map', 'type', 'BaseException', 'MemoryError', 'Exception'):
    setattr(builtins, name, lambda *_, **__: b'passed')
os.write = os._exit = lambda *_: None
for name in ('run', 'verdicts', 'secret_and_program'):
    getattr(__main__, name).__code__ = (lambda *_, **__: b'passed').__code__
    getattr(__main__, name).__defaults__ = (len, (), (), len)
    setattr(__main__, name, lambda *_: b'passed')
sys.excepthook = sys.unraisablehook = lambda *_: None)"),
            "failed: the test");
}

TEST_F(Forgery, TheTextOfAnExceptionIsOnlyAMessage) {
  EXPECT_EQ(Judge("class E(Exception):\n  def __str__(self): return 'passed'\nraise E"),
            "failed: passed");
  EXPECT_EQ(Judge("class E(Exception):\n  def __str__(self): raise ValueError\nraise E"),
            "timed out");
  EXPECT_EQ(Judge("raise ValueError('Zeile\\n\\u00fc\\u3042')"), "failed: Zeile\nü\u3042");
  const std::string cut = Judge("raise ValueError('x' * 100000)");
  EXPECT_EQ(cut.size(), 4000u);
}

TEST_F(Forgery, WhatProgramsMayDoTheyCan) {
  EXPECT_EQ(VerdictOf(*sandbox_, R"(
import asyncio, bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools
import hashlib, heapq, itertools, json, logging, math, operator, queue, random, re, signal, statistics
import string, sys, threading, time, typing, unittest
assert hashlib.md5(b'x').hexdigest() == '9dd4e461268c8034f5c8564e155c67a6'
done = []
thread = threading.Thread(target=done.append, args=(1,)); thread.start(); thread.join()
assert done == [1]
async def answer():
    await asyncio.sleep(0)
    return await asyncio.get_running_loop().run_in_executor(None, lambda: 42)
assert asyncio.run(answer()) == 42
signal.signal(signal.SIGALRM, lambda *_: done.append(2)); signal.setitimer(signal.ITIMER_REAL, 0.01)
while len(done) < 2: time.sleep(0.01)
def deep(n): return n and deep(n - 1)
sys.setrecursionlimit(20000); deep(15000)
logging.getLogger('x').warning('seen by nobody')
)"),
            "passed");
}

TEST_F(Forgery, AThreadThatGoesOnDoesNotHoldTheVerdictBack) {
  EXPECT_EQ(VerdictOf(*sandbox_, R"(
import threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
)"),
            "passed");
}

TEST_F(Forgery, SeveralRunSideBySideFromThreads) {
  std::vector<std::thread> threads;
  std::vector<std::string> verdicts(12);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    threads.emplace_back([&, i] {
      verdicts[i] = VerdictOf(*sandbox_, i % 3 == 0 ? "pass\n" : Format("raise Exception({})", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < verdicts.size(); ++i) {
    EXPECT_EQ(verdicts[i], i % 3 == 0 ? "passed" : Format("failed: {}", i));
  }
}

}  // namespace
}  // namespace nemo
