"""Runs a script under the Python that prepare_venv.py made: run.py DIRECTORY SCRIPT args...

Exit codes: the script's; 77 where that Python could not be made (says why).
"""
import os
import pathlib
import sys

directory, *command = sys.argv[1:]
here = pathlib.Path(__file__).resolve().parent
python = os.environ.get('NEMO_UPSTREAM_PYTHON')
if not python:
    python = os.path.join(directory, 'bin', 'python')
    reason = pathlib.Path(directory).with_suffix('.skipped')
    if reason.exists() or not os.access(python, os.X_OK):
        print('skipped:', reason.read_text() if reason.exists() else f'no {python}: the test upstream_venv makes it')
        sys.exit(77)
# Nothing may come from the network, nothing needs a GPU, and threads that wait for each other would only stand in the way
# of the other tests.
os.environ.update(HF_HUB_OFFLINE='1', CUDA_VISIBLE_DEVICES='', TOKENIZERS_PARALLELISM='false', OMP_NUM_THREADS='1',
                  PYTHONPATH=str(here.parent / 'e2e'))
os.execv(python, [python, *command])
