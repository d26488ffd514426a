"""Broken, hostile and unusual archives: the exit code, a message one can act on, nothing left behind, little memory."""
import glob
import json
import os
import resource
import shutil
import subprocess

from common import Context, check, skip

# Words that a message about each kind must hold one of (any case).
WORDS = {
    'unsafe_path': ['unsafe', 'outside', 'absolute', 'link', '..'],
    'truncated_archive': ['truncat', 'incomplete', 'ends', 'past'],
    'corrupt_archive': ['checksum', 'corrupt', 'header'],
    'missing_config': ['model_config.yaml'],
    'not_an_archive': ['not', 'recognis', 'format'],
    'config_error': ['model_config.yaml'],
    'shape_mismatch': ['shape', 'layers'],
    'unsupported_model': ['rmsnorm'],
    'missing_tokenizer': ['tokenizer'],
    'missing_chunk': ['chunk'],
    'bad_chunk': ['chunk', 'bytes'],
    'bad_zarray': ['.zarray', 'shape', 'json'],
    'unsupported_codec': ['blosc', 'compress'],
    'non_finite': ['nan'],
    'unsafe_pickle': ['unsafe'],
    'corrupt_pickle': ['pickle'],
    'corrupt_checkpoint': ['state dict'],
    'storage_too_small': ['too small'],
    'bad_strides': ['stride'],
    'bad_shape': ['shape'],
    'missing_storage': ['storage'],
    'missing_tensor': ['missing'],
    'truncated_zip': ['zip'],
    'crc_mismatch': ['checksum'],
    'duplicate_key': ['duplicate'],
    'missing_rank': ['missing rank'],
    'replica_mismatch': ['replica'],
    'out_of_range': ['past the end'],
}
MEMORY = 2 << 30


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


with Context() as c:
    if not shutil.which('xz'):
        skip('xz is not installed')
    archive = os.path.join(c.tests, 'golden', 'hostile', 'hostile.tar.xz')
    subprocess.run(['tar', 'xJf', archive, '-C', c.dir], check=True)
    with open(os.path.join(c.tests, 'golden', 'manifest.json')) as f:
        cases = json.load(f)['hostile']
    for case in cases:
        path = c.path(case['file'])
        base = os.path.basename(path)
        out = c.path('out')
        tool = case['tool'] if case['tool'] != 'any' else 'nemo-convert'
        command = [os.path.join(c.bin, tool), path] + ([out] if tool == 'nemo-convert' else [])
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, preexec_fn=limits)
        text = (done.stdout + done.stderr).lower()
        check(not glob.glob('/tmp/nemo_escape_*') and not glob.glob('/tmp/nemo_pwned*'), f'{base} wrote outside')
        check(done.returncode >= 0, f'{base}: died of signal {-done.returncode}')
        if case['expect'] == 'accept':
            check(done.returncode == 0, f'{base} is valid and was refused: {text}')
            c.run('nemo-validate', out)
        elif case['expect'] == 'reject':
            expected = 1 if tool == 'nemo-validate' else 3
            check(done.returncode in (expected, 3), f'{base} ({case["what"]}): exit {done.returncode}\n{text}')
            check(base in text or tool == 'nemo-validate', f'{base} is not named in: {text}')
            words = WORDS[case['kind']]
            check(any(w in text for w in words), f'{base} ({case["kind"]}): {text}')
            if done.returncode != 0 and tool == 'nemo-convert':
                check(not os.path.exists(out), f'{base} left {out} behind')
        left = [name for name in os.listdir(c.dir) if name not in ('hostile_public', 'out')]
        check(not left, f'{base} left {left} behind')
        shutil.rmtree(out, ignore_errors=True)
    print(f'{len(cases)} cases')
