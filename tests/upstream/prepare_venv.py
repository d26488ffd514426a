"""Makes the Python environment in which upstream's programs load our files: prepare_venv.py DIRECTORY.

Done once for each set of requirements; about 1 GB to fetch and 3 GB on the disk. With NEMO_UPSTREAM_PYTHON, a Python
that has the packages already, there is nothing to do. Standard library only.
Exit codes: 0 ready, 1 failed, 77 cannot be made here (says why; the tests that need it then say so too).
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import cuda_stubs

HERE = pathlib.Path(__file__).resolve().parent
INPUTS = ['requirements.txt', 'requirements_alone.txt', 'cuda_stubs.py', 'prepare_venv.py']
IMPORTS = ('import h5py, hdf5plugin, safetensors, sentencepiece, tensorstore, torch, transformers, zarr, megatron.core, '
           'openai, requests, lm_eval')
# What pip says when it cannot reach the index, or not well enough.
NO_NETWORK = re.compile(r'(NewConnectionError|NameResolutionError|ConnectTimeout|ConnectionError|Connection broken|'
                        r'ProxyError|SSLError|Read timed out|Temporary failure in name resolution|403 Client Error|from versions: none).*')
SKIPPED = 77


def run(log, *command):
    with open(log, 'a') as out:
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode


def pip_install(venv, log, *what):
    return run(log, venv / 'bin/python', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input',
               '--no-cache-dir', '--no-compile', '--prefer-binary', '--retries', '2', '--timeout', '30', *what)


def skip(reason_file, reason):
    reason_file.write_text(reason)
    print(f'skipped: {reason}')
    sys.exit(SKIPPED)


def fail(log, what):
    print(f'FAILED: {what}; the end of {log}:\n' + '\n'.join(log.read_text().splitlines()[-20:]), file=sys.stderr)
    sys.exit(1)


def install(venv, log, reason_file):
    for what in (['-r', HERE / 'requirements.txt'], ['--no-deps', '-r', HERE / 'requirements_alone.txt']):
        if pip_install(venv, log, *what) != 0:
            no_network = NO_NETWORK.search(log.read_text())
            if no_network:
                skip(reason_file, f'no packages from PyPI ({no_network.group(0)[:200]})')
            fail(log, f'pip could not install {what[-1].name}')


def main(directory):
    venv = pathlib.Path(directory).resolve()
    log, stamp, reason_file = venv.with_suffix('.log'), venv / '.inputs.sha256', venv.with_suffix('.skipped')
    reason_file.unlink(missing_ok=True)
    if os.environ.get('NEMO_UPSTREAM_PYTHON'):
        print(f'upstream tests use the Python of NEMO_UPSTREAM_PYTHON={os.environ["NEMO_UPSTREAM_PYTHON"]}')
        return
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        skip(reason_file, f'Python {sys.version.split()[0]}: the packages have wheels for 3.11 to 3.13')
    wanted = hashlib.sha256(b''.join((HERE / name).read_bytes() for name in INPUTS)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        print(f'{venv} is ready')
        return
    begin = time.monotonic()
    shutil.rmtree(venv, ignore_errors=True)
    log.unlink(missing_ok=True)
    if run(log, sys.executable, '-m', 'venv', venv) != 0:
        fail(log, 'no virtual environment (is python3-venv installed?)')
    install(venv, log, reason_file)
    stubs = cuda_stubs.write_stubs(next((venv / 'lib').glob('python3*')) / 'site-packages')
    if run(log, venv / 'bin/python', '-c', IMPORTS) != 0:
        fail(log, 'the packages are installed and cannot be imported')
    stamp.write_text(wanted)
    print(f'{venv} is ready after {time.monotonic() - begin:.0f} s; {stubs} CUDA libraries are stand-ins')


main(*sys.argv[1:])
