"""Accidents: kill -9 at random moments, SIGINT, a full disk, a partial output that was changed meanwhile.

Each time the same command with --resume must give, byte for byte, what an undisturbed run gives. The model is large
enough (an HF directory written here: 8 layers, 90 MB) for a run to have a middle.
"""
import collections
import glob
import json
import os
import random
import signal
import subprocess
import time

from common import Context, check, tree_bytes

HIDDEN, FFN, LAYERS, HEADS, VOCAB = 512, 4096, 8, 8, 1100

# suffix: what the output's name ends with
Kind = collections.namedtuple('Kind', 'name flags suffix kills')
KINDS = [
    Kind('hdf5', ['--tp', '2', '--pp', '2', '--jobs', '2'], '', 20),
    Kind('safetensors', ['--tp', '4', '--container', 'safetensors', '--jobs', '2'], '', 8),
    Kind('zstd', ['--tp', '2', '--compress', 'zstd', '--jobs', '2'], '', 8),
    Kind('hf', ['--to', 'hf', '--max-shard-size', '20MB', '--jobs', '2'], '', 5),
    Kind('trtllm', ['--to', 'trtllm', '--tp', '2', '--jobs', '2'], '', 5),
    Kind('megatron', ['--to', 'megatron', '--tp', '2', '--jobs', '2'], '', 5),
    Kind('rank files', ['--to', 'nemo', '--tp', '2', '--container', 'torch', '--jobs', '2'], '', 5),
    Kind('zarr', ['--to', 'nemo', '--tp', '2', '--container', 'zarr', '--jobs', '2'], '', 5),
    Kind('archive', ['--to', 'nemo', '--tp', '2', '--jobs', '2'], '.nemo', 5),
]


def contents(path):
    """The bytes of an output by the names of its files; of a single file by ''."""
    if os.path.isdir(path):
        return tree_bytes(path)
    with open(path, 'rb') as f:
        return {'': f.read()}


def write_model(path):
    """NemotronForCausalLM in one safetensors file of random bytes: nothing here looks at the values."""
    os.mkdir(path)
    shapes = {'model.embed_tokens.weight': [VOCAB, HIDDEN]}
    for i in range(LAYERS):
        p = f'model.layers.{i}.'
        for norm in ('input_layernorm', 'post_attention_layernorm'):
            shapes[f'{p}{norm}.weight'] = shapes[f'{p}{norm}.bias'] = [HIDDEN]
        for proj in 'qkvo':
            shapes[f'{p}self_attn.{proj}_proj.weight'] = [HIDDEN, HIDDEN]
        shapes[f'{p}mlp.up_proj.weight'] = [FFN, HIDDEN]
        shapes[f'{p}mlp.down_proj.weight'] = [HIDDEN, FFN]
    shapes['model.norm.weight'] = shapes['model.norm.bias'] = [HIDDEN]
    shapes['lm_head.weight'] = [VOCAB, HIDDEN]
    header, at = {'__metadata__': {'format': 'pt'}}, 0
    for name, shape in shapes.items():
        size = 2
        for extent in shape:
            size *= extent
        header[name] = {'dtype': 'BF16', 'shape': shape, 'data_offsets': [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(os.path.join(path, 'model.safetensors'), 'wb') as f:
        f.write(len(text).to_bytes(8, 'little') + text + random.Random(1).randbytes(at))
    with open(os.path.join(path, 'config.json'), 'w') as f:
        json.dump({
            'architectures': ['NemotronForCausalLM'], 'model_type': 'nemotron', 'hidden_size': HIDDEN,
            'intermediate_size': FFN, 'num_hidden_layers': LAYERS, 'num_attention_heads': HEADS,
            'num_key_value_heads': HEADS, 'head_dim': HIDDEN // HEADS, 'hidden_act': 'relu2',
            'max_position_embeddings': 128, 'norm_eps': 1e-5, 'vocab_size': VOCAB, 'rope_theta': 10000.0,
            'partial_rotary_factor': 0.5, 'tie_word_embeddings': False, 'attention_bias': False, 'mlp_bias': False,
            'bos_token_id': 2, 'eos_token_id': 3
        }, f)


def command(c, source, target, flags):
    return [os.path.join(c.bin, 'nemo-convert'), source, target, *flags]


def interrupted(c, source, target, flags, moment, sig):
    """Starts a conversion and sends `sig` after `moment` seconds. Its exit code."""
    child = subprocess.Popen(command(c, source, target, flags), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True)
    try:
        child.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        child.send_signal(sig)
    c.stderr = child.communicate()[1]
    return child.returncode


def files_below(path):
    if os.path.isfile(path):
        return [path]
    return [os.path.join(root, name) for root, _, names in os.walk(path) for name in names]


def expect_same(target, whole, what):
    actual = contents(target)
    check(sorted(actual) == sorted(whole), f'{what}: other files: {sorted(actual)}')
    for name, data in whole.items():
        check(actual[name] == data, f'{what}: {name} differs')
    beside = [n for n in os.listdir(os.path.dirname(target)) if n.startswith(os.path.basename(target) + '.')]
    check(not beside, f'{what}: left beside the output: {beside}')


def kill_at_random_moments(c, source, kind, whole, seconds):
    moments, kept = random.Random(7), 0
    name, flags, target = kind.name, kind.flags, c.path('killed' + kind.suffix)
    for i in range(kind.kills):
        code = interrupted(c, source, target, flags, moments.uniform(0, seconds), signal.SIGKILL)
        check(code in (0, -signal.SIGKILL), f'{name}: exit {code}\n{c.stderr}')
        if code != 0:
            # Killed again on the way, sometimes.
            if i % 3 == 0:
                interrupted(c, source, target, [*flags, '--resume'], moments.uniform(0, seconds), signal.SIGKILL)
            if not os.path.exists(target):
                kept += 'resumed' in c.run('nemo-convert', source, target, *flags, '--resume')
        if os.path.exists(target + '.journal'):
            c.run('nemo-convert', source, target, *flags, '--resume')  # killed between the name and the clearing up
        expect_same(target, whole, f'{name}: killed, round {i}')
        subprocess.run(['rm', '-r', target], check=True)
    return kept


def interrupt(c, source, kind, whole, seconds):
    """SIGINT leaves a state that can be resumed, says so, and exits with 130."""
    flags, target, said = kind.flags, c.path('interrupted' + kind.suffix), 0
    for share in (0.3, 0.5, 0.7):
        code = interrupted(c, source, target, flags, seconds * share, signal.SIGINT)
        check(code in (0, 130, -signal.SIGINT), f'SIGINT: exit {code}\n{c.stderr}')
        if code == -signal.SIGINT:  # a busy machine: the tool was not far enough to mind signals
            check(not glob.glob(target + '*'), 'SIGINT that nobody minded: something was begun')
            c.run('nemo-convert', source, target, *flags)
        if code == 130:
            check(not os.path.exists(target), 'SIGINT: the output stands')
            said += '--resume goes on' in c.stderr
            c.run('nemo-convert', source, target, *flags, '--resume')
        expect_same(target, whole, 'SIGINT')
        subprocess.run(['rm', '-r', target], check=True)
    return said


def change_what_is_there(c, source, kind, whole, seconds):
    """What an accident did to the partial files is found by their contents, not by dates."""
    flags, target, changed = kind.flags, c.path('changed' + kind.suffix), 0
    for share in (0.5, 0.7, 0.8, 0.9):
        code = interrupted(c, source, target, flags, seconds * share, signal.SIGKILL)
        partial = target + '.partial'
        if code != 0 and os.path.exists(partial):
            for path in files_below(partial):
                size = os.path.getsize(path)
                with open(path, 'r+b') as f:
                    for at in range(0, size, max(1, size // 50)):
                        f.seek(at)
                        byte = f.read(1)
                        f.seek(at)
                        f.write(bytes([byte[0] ^ 0x55]))
                changed += 1
            c.run('nemo-convert', source, target, *flags, '--resume')
        if os.path.exists(target + '.journal'):
            c.run('nemo-convert', source, target, *flags, '--resume')
        expect_same(target, whole, 'changed meanwhile')
        subprocess.run(['rm', '-r', target], check=True)
    return changed


def full_disk(c, source, kind, whole):
    """On a file system too small: exit 4, and after room was made the same result. Needs the right to mount one."""
    small = c.path('small')
    os.mkdir(small)
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small], capture_output=True).returncode:
        return 'full disk not tried: no right to mount a file system'
    try:
        flags, target = kind.flags, os.path.join(small, 'out' + kind.suffix)
        c.run('nemo-convert', source, target, *flags, expect=4)
        # Known beforehand, or found on the way where sizes are not known: then what is finished stays.
        check('free' in c.stderr or ('No space' in c.stderr and '--resume goes on' in c.stderr), c.stderr)
        # Room at the beginning, none later: somebody else fills the disk meanwhile.
        subprocess.run(['mount', '-o', 'remount,size=140m', small], check=True)
        blocker = os.path.join(small, 'blocker')
        with open(blocker, 'wb') as f:
            f.write(b'x' * (90 << 20))
        c.run('nemo-convert', source, target, *flags, '--resume', expect=4)
        os.remove(blocker)
        c.run('nemo-convert', source, target, *flags, '--resume')
        expect_same(target, whole, 'full disk')
    finally:
        subprocess.run(['umount', small], check=True)
    return 'full disk: exit 4, then the same bytes'


def wait_until_gone(target):
    """Until no process has `target` among its arguments."""
    deadline = time.monotonic() + 60
    while subprocess.run(['pgrep', '-f', target], capture_output=True).returncode == 0:
        check(time.monotonic() < deadline, 'ranks outlive their launcher by a minute')
        time.sleep(0.1)


def ranks(c, source, kind, whole, seconds):
    """Several processes write the same bytes, and another number of them goes on after a kill."""
    flags, target = kind.flags, c.path('ranks' + kind.suffix)
    mpirun = ['mpirun', '-n', '3', '--oversubscribe']
    c.run('nemo-convert', source, target, *flags, launcher=mpirun)
    expect_same(target, whole, 'three ranks')
    subprocess.run(['rm', '-r', target], check=True)
    child = subprocess.Popen([*mpirun, *command(c, source, target, flags)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    wait_until_gone(target)  # the ranks hear of their launcher's end
    if not os.path.exists(target):
        c.run('nemo-convert', source, target, *flags, '--resume')
    elif os.path.exists(target + '.journal'):
        c.run('nemo-convert', source, target, *flags, '--resume')
    expect_same(target, whole, 'one rank after three')
    return 'ranks: 3, then 1'


with Context(on_disk=True) as c:
    source = c.path('model')
    write_model(source)
    for kind in KINDS:
        undisturbed = c.path('whole' + kind.suffix)
        start = time.monotonic()
        c.run('nemo-convert', source, undisturbed, *kind.flags)
        seconds = time.monotonic() - start
        whole = contents(undisturbed)
        subprocess.run(['rm', '-r', undisturbed], check=True)
        kept = kill_at_random_moments(c, source, kind, whole, seconds)
        said = interrupt(c, source, kind, whole, seconds)
        changed = change_what_is_there(c, source, kind, whole, seconds)
        print(f'{kind.name}: {seconds:.2f} s a run; {kind.kills} kills, {kept} went on with finished tensors; SIGINT '
              f'said how to go on {said} of 3 times; {changed} partial files changed')
        print(full_disk(c, source, kind, whole))
        print(ranks(c, source, kind, whole, seconds))
        for left in ('ranks' + kind.suffix, 'small'):
            subprocess.run(['rm', '-rf', c.path(left)], check=True)
