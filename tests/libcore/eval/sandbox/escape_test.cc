// Programs that try to do harm, behind every combination of layers that is allowed to hold one.
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/eval/sandbox/cages.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::Bystander;
using testing::VerdictOf;

/// `refused(attempt, *arguments)` lets the program fail when the attempt succeeds.
constexpr char kRefused[] = R"(
import os, posix, socket, sys
def refused(attempt, *arguments):
    try: got = attempt(*arguments)
    except (OSError, MemoryError): return
    raise Exception('%r%r gave %r' % (attempt, arguments, got))
)";

class Escape : public ::testing::TestWithParam<SandboxLayers> {
 protected:
  void SetUp() override {
    testing::CollectOrphans();
    std::string why;
    sandbox_ = testing::CageOf(GetParam(), &why);
    if (sandbox_ == nullptr) GTEST_SKIP() << why;
  }
  /// Every attempt of `program` must be refused, and nothing may stay behind.
  void ExpectHeld(const std::string& program, int bystander = 0) {
    EXPECT_EQ(VerdictOf(*sandbox_, kRefused + program), "passed") << sandbox_->description();
    EXPECT_FALSE(testing::AnythingIsLeft(bystander));
  }
  void ExpectNoVerdict(const std::string& program, int bystander = 0) {
    EXPECT_EQ(VerdictOf(*sandbox_, program), "timed out") << program;
    EXPECT_FALSE(testing::AnythingIsLeft(bystander));
  }
  const Sandbox* sandbox_ = nullptr;
};

TEST_P(Escape, FilesOutsideCannotBeRead) {
  const char* home = std::getenv("HOME");
  ExpectHeld(Format(R"(
for path in ('/etc/shadow', '/etc/passwd', '/proc/self/mem', '/proc/self/environ', '/proc/1/environ',
             '/proc/self/cmdline', '/dev/mem', '/dev/tty', '{0}/CMakeLists.txt'):
    refused(open, path, 'rb')
for path in ('{0}', '/home', '/proc', '/sys', '/var', '/dev/shm'): refused(os.listdir, path)
# On the way to Python there may be empty folders with the names of those outside.
for path in ('{1}', '/root'):
    try: names = os.listdir(path)
    except OSError: continue
    for name in names: assert sys.executable.startswith(os.path.join(path, name) + '/'), name
)",
                    NEMO_TEST_DIR, home != nullptr ? home : "/"));
}

TEST_P(Escape, NothingOutsideCanBeWritten) {
  const testing::TempDir folder;
  ExpectHeld(Format(R"(
import sysconfig
for path in ('{}', sysconfig.get_path('stdlib'), '/', '/usr', '/dev', '/dev/shm', '/etc', '/var/tmp'):
    refused(open, path + '/written', 'wb')
    refused(posix.mkdir, path + '/made')
refused(open, os.__file__, 'ab')
refused(open, sys.executable, 'ab')
)",
                    folder.path()));
  EXPECT_EQ(KindOf(folder / "written"), PathKind::kAbsent);
}

TEST_P(Escape, ThePortOfAnotherProcessIsOutOfReach) {
  const Bystander bystander;
  ExpectHeld(Format(R"(
def call(family, kind, address):
    with socket.socket(family, kind) as s:
        s.connect(address)
        s.send(b'x')
for address in (('127.0.0.1', {0}), ('1.1.1.1', 53), ('10.0.0.1', 80)):
    refused(call, socket.AF_INET, socket.SOCK_STREAM, address)
    refused(call, socket.AF_INET, socket.SOCK_DGRAM, address)
refused(call, socket.AF_UNIX, socket.SOCK_STREAM, '/run/systemd/private')
refused(socket.create_connection, ('localhost', {0}))
)",
                    bystander.port()),
             bystander.pid());
  EXPECT_FALSE(bystander.WasCalled());
}

TEST_P(Escape, AForkBombDoesNotGoOff) {
  // Its first process waits for the others, so that it would be seen if they stayed.
  const std::string verdict = VerdictOf(*sandbox_, R"(
import posix, time
while True:
    try: posix.fork()
    except OSError: time.sleep(0.01)
)",
                                        {2000});
  EXPECT_EQ(verdict, "timed out");
  EXPECT_FALSE(testing::AnythingIsLeft());
}

TEST_P(Escape, ADaemonIsNotLeftBehind) {
  const std::string verdict = VerdictOf(*sandbox_, R"(
import os, posix, signal, time
try:
    if posix.fork() == 0:
        os.setsid()
        for number in (1, 2, 3, 15): signal.signal(number, signal.SIG_IGN)
        if posix.fork() == 0: time.sleep(1000)
        posix._exit(0)
except PermissionError: pass
)");
  EXPECT_EQ(verdict, "passed");
  EXPECT_FALSE(testing::AnythingIsLeft());
}

TEST_P(Escape, TheDiskCannotBeFilled) {
  ExpectHeld(R"(
written = 0
def fill():
    global written
    for index in range(100000):
        with open('/tmp/%d' % index, 'wb') as file:
            for _ in range(64):
                written += file.write(bytes(1 << 20))
refused(fill)
assert written <= 64 << 20, written
refused(open, '/dev/shm/x', 'wb')
)");
}

TEST_P(Escape, AHundredGigabytesAreRefused) {
  ExpectHeld("refused(bytearray, 100 << 30)\n");
  // The reference has no limit of memory here and runs out of time instead.
  ExpectNoVerdict("x = 'a' * (100 << 30)\n");
}

TEST_P(Escape, OtherProcessesCannotBeSignalled) {
  const Bystander bystander;
  EXPECT_EQ(VerdictOf(*sandbox_, Format(R"({0}
for pid in ({1}, {2}, -{1}, -{2}):
    refused(posix.kill, pid, 0)
    refused(posix.kill, pid, 9)
try: posix.kill(-1, 9)
except OSError: pass
# A file that would signal its owner.
import fcntl
reading, writing = os.pipe()
def own(pid):
    fcntl.fcntl(reading, 10, 9)
    fcntl.fcntl(reading, fcntl.F_SETOWN, pid)
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
for pid in ({1}, {2}):
    try: own(pid)
    except OSError: pass
    os.write(writing, b'x')
)",
                                        kRefused, bystander.pid(), getpid())),
            "passed");
  EXPECT_TRUE(bystander.IsUntouched());
}

TEST_P(Escape, AFreshInterpreterInTheCageIsCagedToo) {
  // No audit hook, and ctypes at hand: native code, in effect.
  const Bystander bystander;
  ExpectNoVerdict(Format(R"(
import os, sys
os.execv(sys.executable, [sys.executable, '-I', '-c', '''
import ctypes, os, posix, socket
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace(16, {0}, 0, 0)      # attach
libc.ptrace(0x4206, {0}, 0, 0)  # seize
libc.kill({0}, 9)
libc.unshare(0x10000000); libc.mount(b'none', b'/', b'tmpfs', 0, 0); libc.setuid(0)
for attempt in (lambda: posix.kill({0}, 9), lambda: socket.create_connection(('127.0.0.1', {1})),
                lambda: os.write(3, b'passed'), lambda: os.write(3, bytes(32) + b'passed')):
    try: attempt()
    except OSError: pass
'''])
)",
                         bystander.pid(), bystander.port()),
                  bystander.pid());
  EXPECT_TRUE(bystander.IsUntouched());
  EXPECT_FALSE(bystander.WasCalled());
}

TEST_P(Escape, DescriptorsOfTheParentAreNotInherited) {
  const testing::TempDir folder;
  const int open_for_all = open((folder / "secret").c_str(), O_CREAT | O_RDWR, 0600);
  ASSERT_GE(dup2(open_for_all, 40), 0);
  ExpectHeld("assert os.read(0, 1) == b''\nfor fd in range(3, 64): refused(os.read, fd, 1)\n");
  close(40);
  close(open_for_all);
}

TEST_P(Escape, TheEnvironmentIsEmpty) {
  ExpectHeld("assert set(os.environ) <= {'OMP_NUM_THREADS', 'LC_CTYPE'}, os.environ\n");
}

TEST_P(Escape, PrivilegesAreGone) {
  ExpectHeld(R"(
assert 0 not in os.getresuid() + os.getresgid(), os.getresuid()
for group in os.getgroups(): assert group != 0
refused(posix.setuid, 0)
refused(posix.chroot, '/tmp')
refused(os.setgroups, [0])
)");
}

TEST_P(Escape, TemporaryFilesAreNotShared) {
  ExpectHeld(R"(
try: open('/tmp/mine', 'w').close()
except PermissionError: pass  # where there is no bounded folder, there is none
else: assert os.listdir('/tmp') == ['mine']
)");
  ExpectHeld("refused(open, '/tmp/mine')\n");
}

INSTANTIATE_TEST_SUITE_P(Layers, Escape, ::testing::ValuesIn(testing::GuardingLayers()),
                         [](const auto& layers) { return testing::NameOf(layers.param); });

}  // namespace
}  // namespace nemo
