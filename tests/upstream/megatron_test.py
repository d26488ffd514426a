"""torch's and Megatron Core's own loaders read what nemo-convert --to megatron writes: dcp_check.py, case by case."""
import os
import subprocess
import sys

from common import Context, check

CASES = [
    # archive, model, tensor-parallel size, pipeline stages, loader (Megatron Core's starts a process for each rank)
    ('tiny_zarr_tp1pp1.nemo', 'tiny', 2, 1, 'megatron'),
    ('odd_realnemo_zarr.nemo', 'odd', 2, 3, 'torch'),
    ('tied_legacy_pp2.nemo', 'tied', 1, 2, 'megatron'),
]
FIRST_PORT, NUM_PORTS = 20000, 10000


def main():
    with Context() as c:
        checker = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'dcp_check.py')
        port = FIRST_PORT + os.getpid() % NUM_PORTS
        for archive, model, tp, pp, loader in CASES:
            out = c.path(model)
            c.run('nemo-convert', os.path.join(c.tests, 'golden', 'nemo', archive), out, '--to', 'megatron', '--tp', tp, '--pp', pp)
            hf = os.path.join(c.tests, 'golden', 'models', model, 'hf')
            command = [sys.executable, checker, out, hf, '--loader', loader, '--tp', tp, '--pp', pp, '--port', port]
            done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
            check(done.returncode == 0, f'{archive}: {loader}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}')
            print(f'{archive}: {done.stdout.strip()}')


main()
