#include "libcore/eval/sandbox/interpreter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {

namespace {

/// Prints executable, version and folders, a line each. The extension modules are imported for the
/// shared libraries that they bring with them.
constexpr char kQuestions[] = R"(
import os, site, sys, sysconfig
for name in ('bz2', 'decimal', 'hashlib', 'lzma', 'sqlite3', 'ssl', 'zlib', 'numpy'):
    try: __import__(name)
    except Exception: pass
print(os.path.realpath(sys.executable))
print('%d.%d.%d' % sys.version_info[:3])
base = {'base': sys.base_prefix, 'platbase': sys.base_exec_prefix}
for name in ('stdlib', 'platstdlib', 'purelib', 'platlib'):
    print(os.path.realpath(sysconfig.get_path(name, vars=base)))
for path in site.getsitepackages([sys.base_prefix, sys.base_exec_prefix]):
    print(os.path.realpath(path))
for line in open('/proc/self/maps'):
    path = line.rstrip('\n').split(None, 5)[5:]
    if path and path[0].startswith('/') and '.so' in path[0]:
        print(os.path.dirname(os.path.realpath(path[0])))
)";
/// Where the loader lies and looks, whatever Python says.
constexpr std::array<const char*, 4> kLoaderPaths = {"/lib", "/lib64", "/usr/lib64",
                                                     "/etc/ld.so.cache"};

/// What `command` writes to stdout. Its stderr and its input are /dev/null.
Result<std::string> OutputOf(const std::string& command) {
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const std::array<const char*, 5> argv = {command.c_str(), "-I", "-c", kQuestions, nullptr};
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, command.c_str(), &actions, nullptr,
                                  const_cast<char* const*>(argv.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  std::string text;
  std::array<char, 4096> block;
  for (ssize_t got; failed == 0 && (got = read(out[0], block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<size_t>(got));
  }
  close(out[0]);
  if (failed != 0) return ErrnoError(failed, command);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return NotFound(Format("{}: does not run as Python 3", command));
  return text;
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    lines.emplace_back(text.substr(0, end));
  }
  return lines;
}

/// The paths that exist, sorted, without those that lie in another.
std::vector<std::string> Outermost(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> outermost;
  for (const std::string& path : paths) {
    const bool inside = std::any_of(outermost.begin(), outermost.end(), [&](const auto& folder) {
      return path == folder || path.rfind(folder + "/", 0) == 0;
    });
    // The whole disk is no Python tree.
    if (!inside && path.size() > 1 && KindOf(path) != PathKind::kAbsent) outermost.push_back(path);
  }
  return outermost;
}

}  // namespace

Result<Interpreter> DescribeInterpreter(const std::string& command) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, OutputOf(command));
  std::vector<std::string> lines = Lines(text);
  if (lines.size() < 3) return NotFound(Format("{}: does not answer as Python 3 does", command));
  Interpreter python{lines[0], lines[1], {}};
  if (std::atoi(python.version.c_str() + 2) < 8 || python.version.rfind("3.", 0) != 0) {
    return NotFound(Format("{}: Python {} is too old; 3.8 is needed", command, python.version));
  }
  std::vector<std::string> trees(lines.begin() + 2, lines.end());
  trees.push_back(python.executable);
  for (const char* path : kLoaderPaths) trees.emplace_back(path);
  python.trees = Outermost(std::move(trees));
  return python;
}

}  // namespace nemo
