"""What the end-to-end tests share: running tools, the checkpoints and their layouts, reading shard sets.

Standard library only. Exit codes of a test: 0 passed, 1 failed (an assertion says what), 77 skipped (says why).
"""
import argparse
import array
import json
import os
import shutil
import subprocess
import sys
import tempfile

# model, and layouts that its sizes allow; every other one must be refused.
MODELS = {
    'shakespeare': {'layers': 6, 'heads': 8, 'groups': 2},
    'tiny': {'layers': 4, 'heads': 8, 'groups': 4},
    'odd': {'layers': 6, 'heads': 6, 'groups': 2},
    'tied': {'layers': 2, 'heads': 6, 'groups': 3},
}
UNEVEN = {'shakespeare': '1,2,3', 'tiny': '3,1', 'odd': '1,3,2', 'tied': '2,0'}


def layout_of(model, tp, pp):
    """(name, flags, world size, legal) of a layout with equal stages."""
    m = MODELS[model]
    legal = (m['heads'] % tp == 0 and (m['groups'] % tp == 0 or tp % m['groups'] == 0) and m['layers'] % pp == 0)
    return (f'tp{tp}pp{pp}', ['--tp', str(tp), '--pp', str(pp)], tp * pp, legal)


def layouts_of(model):
    """layout_of the layouts every checkpoint is tried in."""
    rows = [layout_of(model, tp, pp) for tp, pp in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 2), (8, 1))]
    stages = UNEVEN[model]
    pp = stages.count(',') + 1
    rows.append(('uneven', ['--pp', str(pp), '--pipeline-layout', stages], pp, True))
    return rows


def memory_folder():
    """A folder in memory if there is one with room: most of the time of a small conversion is waiting until the disk has
    its files. None: where temporary files are otherwise, TMPDIR included."""
    folder, room = '/dev/shm', 2 << 30
    if 'TMPDIR' in os.environ or not os.access(folder, os.W_OK):
        return None
    status = os.statvfs(folder)
    return folder if status.f_bavail * status.f_frsize >= room else None


class Context:
    """`on_disk`: the files are written to a disk even where memory_folder() is one."""

    def __init__(self, on_disk=False):
        parser = argparse.ArgumentParser()
        parser.add_argument('--bin', required=True)
        parser.add_argument('--tests', required=True)
        parser.add_argument('checkpoint', nargs='?')
        args = parser.parse_args()
        self.bin, self.tests, self.checkpoint = args.bin, args.tests, args.checkpoint
        self.dir = tempfile.mkdtemp(prefix='nemo_e2e_', dir=None if on_disk else memory_folder())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    @property
    def model(self):
        return self.checkpoint.split('_')[0]

    def source(self):
        """The checkpoint's path; skips when it lies only beside the project and is absent."""
        if self.checkpoint == 'shakespeare':
            return os.path.join(self.tests, 'data', 'shakespeare.nemo')
        shared = os.environ.get('NEMO_SHARED', os.path.join(self.tests, '..', '..', 'shared'))
        for root in (os.path.join(self.tests, 'golden', 'nemo'), os.path.join(shared, 'fixtures', 'nemo')):
            for name in (self.checkpoint, self.checkpoint + '.nemo'):
                if os.path.exists(os.path.join(root, name)):
                    return os.path.join(root, name)
        skip(f'{self.checkpoint} is neither in tests/golden nor in $NEMO_SHARED/fixtures')

    def run(self, tool, *args, expect=0, launcher=(), timeout=300):
        """Runs a tool and checks its exit code. Returns its stdout; stderr is in the failure message."""
        command = [*launcher, os.path.join(self.bin, tool), *map(str, args)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        check(done.returncode == expect,
              f'{" ".join(command)}\nexit {done.returncode}, expected {expect}\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
        self.stderr = done.stderr
        return done.stdout

    def run_json(self, tool, *args, **options):
        return json.loads(self.run(tool, *args, '--json', **options))


def check(condition, message):
    if not condition:
        print(f'FAILED: {message}', file=sys.stderr)
        sys.exit(1)


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


def tree_bytes(directory):
    """Every file below `directory` with its bytes."""
    out = {}
    for root, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(root, name)
            with open(path, 'rb') as f:
                out[os.path.relpath(path, directory)] = f.read()
    return out


def read_safetensors(path):
    """{name: (shape, floats)} of a file with F32 and BF16 tensors; other dtypes are left out."""
    with open(path, 'rb') as f:
        blob = f.read()
    size = int.from_bytes(blob[:8], 'little')
    out = {}
    for name, entry in json.loads(blob[8:8 + size]).items():
        if name == '__metadata__' or entry['dtype'] not in ('F32', 'BF16'):
            continue
        begin, end = entry['data_offsets']
        raw = blob[8 + size + begin:8 + size + end]
        if entry['dtype'] == 'BF16':
            wide = bytearray(2 * len(raw))
            wide[2::4], wide[3::4] = raw[0::2], raw[1::2]
            raw = bytes(wide)
        out[name] = (entry['shape'], array.array('f', raw))
    return out
