#include "libcore/eval/sandbox/wrapper.h"

namespace nemo {

/// Functions that the reference takes away, so that programs which call them fail in the same words
/// (openai/human-eval, execution.py, reliability_guard); here they are no part of the defence.
const char kWrapper[] = R"PY(
import builtins, collections, faulthandler, functools, io, os, shutil, subprocess, sys


class NoInput(io.StringIO):
    def read(self, *_): raise OSError
    readline = readlines = read
    def readable(self): return False


def take_away():
    faulthandler.disable()
    os.environ['OMP_NUM_THREADS'] = '1'
    for name in ('kill killpg system putenv remove removedirs rmdir unlink rename renames replace '
                 'truncate fchdir chdir getcwd chroot setuid fork forkpty chmod fchmod lchmod chown '
                 'fchown lchown lchflags').split():
        setattr(os, name, None)
    for name in ('rmtree', 'move', 'chown'):
        setattr(shutil, name, None)
    for name in ('exit', 'quit', 'help'):
        setattr(builtins, name, None)
    subprocess.Popen = None
    for name in ('ipdb', 'joblib', 'resource', 'psutil', 'tkinter'):
        sys.modules[name] = None
    sys.stdin = NoInput()


def watch(events, modules, refuse=PermissionError, absent=ImportError):
    def hook(event, args):
        if event in events:
            raise refuse(event + ' is refused here')
        if event == 'import' and args[0] in modules:
            raise absent(args[0] + ' is refused here')
    return hook


def run(program, execute=exec, any_error=BaseException, no_memory=MemoryError, kind=type):
    try:
        execute(program, {})
    except any_error as error:
        if kind(error) is no_memory and not error.args:
            return b'timed out'
        return f'failed: {error}'.encode('utf-8', 'replace')[:4000]
    return b'passed'


def secret_and_program():
    with open(0, 'rb') as file:
        data = file.read()
    os.open(os.devnull, os.O_RDONLY)
    return data[:32], data[32:].decode('utf-8', 'surrogateescape')


def verdicts(nonce, program):
    return map(functools.partial(os.write, 3), map(nonce.__add__, map(run, (program,))))


take_away()
sys.addaudithook(watch(
    frozenset('gc.get_objects gc.get_referrers gc.get_referents sys.settrace sys.setprofile '
              'sys.monitoring.register_callback sys._current_frames sys._current_exceptions '
              'sys.addaudithook ctypes.dlopen'.split()),
    frozenset('ctypes _ctypes _testcapi _testinternalcapi _testlimitedcapi _xxsubinterpreters '
              '_interpreters'.split())))
os.write(3, b'ready')
collections.deque(verdicts(*secret_and_program()), 0)
os._exit(0)
)PY";

}  // namespace nemo
